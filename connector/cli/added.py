"""Commands that plugins bring: found by their entry points, and loaded when they are asked for."""

from importlib.metadata import EntryPoint, entry_points

import rich_click as click

from connector.model.errors import PluginError

GROUP = "connector.commands"


def added_commands() -> list[str]:
    """The names of the commands that plugins bring; none of them is loaded."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def added_command(name: str) -> click.Command | None:
    """The command of that name; None: no plugin brings it.

    One that can't be used is shown as such in the help, and raises `PluginError` when it is run.
    """
    for entry in entry_points(group=GROUP, name=name):
        return _loaded(entry)
    return None


def _loaded(entry: EntryPoint) -> click.Command:
    try:
        found = entry.load()
    except (Exception, SystemExit) as error:
        return _unusable(entry.name, f"it fails to import: {type(error).__name__}: {error}")
    if not isinstance(found, click.Command):
        return _unusable(entry.name, f"its entry point is no click command but {type(found).__name__}")
    found.name = entry.name
    return found


def _unusable(name: str, reason: str) -> click.Command:
    sentence = f"The command {name} of a plugin can't be used: {reason}."

    @click.command(name, help=sentence, context_settings={"ignore_unknown_options": True, "help_option_names": []})
    @click.argument("words", nargs=-1)
    def unusable(words: tuple[str, ...]) -> None:
        raise PluginError(sentence)

    return unusable
