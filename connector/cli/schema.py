"""`connector schema`: the JSON Schemas of configuration and campaign."""

import json
import sys
from pathlib import Path

import rich_click as click

from connector.config.messages import unknown_name
from connector.config.schema import CONFIGURATION, compose, text
from connector.extension.plugins import Plugins


@click.command("schema")
@click.argument("name", required=False, metavar="[NAME]")
@click.option(
    "--write",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write every schema, or the one named, to a file of its own in this directory.",
)
@click.option("--json", "as_json", is_flag=True, help="With --write: the names of the written files as JSON.")
def schema(name: str | None, directory: Path | None, as_json: bool) -> None:
    """Print the rules for a configuration or a campaign as a JSON Schema, which programs and editors understand.

    Use it where another program draws forms for settings, or checks them; or for your editor. NAME is
    `configuration` (unless you say so), `campaign`, `integration.PROVIDER` or `sink.KIND`. They know the plugins that
    are installed.
    """
    plugins = Plugins()
    schemas = compose(plugins)
    chosen = None if name is None else name.removesuffix(".json")
    if chosen is not None and chosen not in schemas:
        raise click.BadParameter(unknown_name(chosen, list(schemas), "schema"), param_hint="NAME")
    if directory is None:
        click.echo(text(schemas[chosen or CONFIGURATION]), nl=False)
    else:
        directory.mkdir(parents=True, exist_ok=True)
        written = []
        for each in [chosen] if chosen else schemas:
            file = directory / f"{each}.json"
            file.write_text(text(schemas[each]), encoding="utf-8", newline="\n")
            written.append(str(file))
        click.echo(json.dumps({"written": written}) if as_json else "\n".join(written))
    if plugins.broken:
        for broken in plugins.broken:
            click.echo(f"Not in the schemas: plugin {broken.name}, because {broken.reason}.", err=True)
        sys.exit(1)
