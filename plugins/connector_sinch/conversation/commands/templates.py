"""`connector conversation template`: messages with their translations, kept by Sinch."""

from typing import Any

import rich_click as click

from connector.model.errors import InputError
from connector_sinch.conversation.commands.desk import (
    Desk,
    confirmed,
    limit_option,
    on_project,
    table_in,
    yes_option,
)


@click.group("template", cls=click.RichGroup)
def template() -> None:
    """Look after message templates, which campaigns name as an `omni_template`.

    Use it for templates that Sinch keeps. Those of WhatsApp itself are made in the Sinch dashboard.
    """


@template.command("list")
@limit_option
@on_project
def list_templates(desk: Desk, limit: int) -> None:
    """List the templates of the project in this region.

    Use it to find the id and the version that a campaign names.
    """
    desk.many(
        "templates",
        desk.project.templates.list(),
        {
            "template": lambda each: each.id,
            "version": lambda each: str(each.version),
            "languages": lambda each: ", ".join(dict.fromkeys(one.language_code for one in each.translations)),
            "description": lambda each: each.description or "-",
        },
        limit=limit,
    )


@template.command("show")
@click.argument("template_id", metavar="TEMPLATE")
@on_project
def show_template(desk: Desk, template_id: str) -> None:
    """Show a template with its translations.

    Use it with --json to have a file that `update` takes again, once it is changed.
    """
    desk.one(desk.project.templates.get(template_id))


@template.command("translations")
@click.argument("template_id", metavar="TEMPLATE")
@click.option("--language", metavar="CODE", help="Only this language, as in en-US.")
@click.option("--version", metavar="VERSION", help="Only this version of the translations.")
@limit_option
@on_project
def list_translations(desk: Desk, template_id: str, language: str | None, version: str | None, limit: int) -> None:
    """List the translations of a template, older versions too.

    Use it to see which variables a language has.
    """
    desk.many(
        "translations",
        desk.project.templates.translations(template_id, language_code=language, version=version),
        {
            "language": lambda each: each.language_code,
            "version": lambda each: each.version,
            "variables": lambda each: ", ".join(str(one.get("key", "")) for one in each.variables) or "-",
        },
        limit=limit,
    )


@template.command("create")
@click.argument("file", metavar="FILE")
@on_project
def create_template(desk: Desk, file: str) -> None:
    """Make a template of a JSON or TOML file.

    Use it with a file that has default_translation and translations, each with its language_code and its message, as
    the API writes them: {"language_code": "en-US", "text_message": {"text": "Hi ${name}"}}.
    """
    read = _file(file)
    made = desk.project.templates.create(
        read["translations"],
        default_translation=read["default_translation"],
        description=read.get("description"),
        template_id=read.get("id"),
    )
    desk.one(made)


@template.command("update")
@click.argument("template_id", metavar="TEMPLATE")
@click.argument("file", metavar="FILE")
@on_project
def update_template(desk: Desk, template_id: str, file: str) -> None:
    """Replace all of a template by a JSON or TOML file.

    Use it with what `show --json` printed, changed. The file's version is the one that was seen: where somebody else
    has changed the template since, nothing is replaced, and you are told.
    """
    read = _file(file)
    version = read.get("version")
    if not isinstance(version, int) or isinstance(version, bool):
        raise InputError(f"{file}: version is missing: the number of the version that was seen.")
    changed = desk.project.templates.update(
        template_id,
        version,
        read["translations"],
        default_translation=read["default_translation"],
        description=read.get("description"),
    )
    desk.one(changed)


@template.command("delete")
@click.argument("template_id", metavar="TEMPLATE")
@yes_option
@on_project
def delete_template(desk: Desk, template_id: str, yes: bool) -> None:
    """Delete a template with all of its translations.

    Use it for templates that no campaign names any more. It can't be undone.
    """
    confirmed(f"Delete the template {template_id}?", yes=yes)
    desk.project.templates.delete(template_id)
    desk.done(f"The template {template_id} is deleted.", deleted=template_id)


def _file(file: str) -> dict[str, Any]:
    """A template as a file holds it. Raises `InputError`."""
    read = table_in(file)
    translations = read.get("translations")
    if not isinstance(translations, list) or not all(isinstance(each, dict) for each in translations):
        raise InputError(f"{file}: translations is missing: a list of tables, one for each language.")
    for name in ("default_translation", "description", "id"):
        if name in read and not isinstance(read[name], str):
            raise InputError(f"{file}: {name} must be text.")
    if "default_translation" not in read:
        raise InputError(f"{file}: default_translation is missing: the language for whoever has none of the others.")
    # What the API adds when it shows a template is no part of one.
    kept = [{key: value for key, value in each.items() if not key.endswith("_time")} for each in translations]
    return {**read, "translations": kept}
