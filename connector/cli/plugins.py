"""`connector plugins`: what is loaded, and what failed to load."""

import json
import sys
from typing import Any

import rich_click as click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from connector.cli.output import json_option
from connector.extension.plugins import Plugins
from connector.extension.provider import OPTIONAL


@click.command("plugins")
@json_option
def plugins(as_json: bool) -> None:
    """List the providers and sinks that can be used, the plugins that bring them, and the plugins that are broken.

    Use it to see what a provider can't do, and why, and after installing a plugin. The exit status is 1 if one is
    broken.
    """
    found = Plugins()
    overview: dict[str, list[dict[str, Any]]] = {
        "plugins": [
            {"name": plugin.name, "version": plugin.version, "hooks": list(plugin.hooks)} for plugin in found.loaded
        ],
        "providers": [
            {
                "name": name,
                "title": provider.title,
                "supports": [method for method in OPTIONAL if provider.supports(method)],
                "declines": provider.declines,
            }
            for name, provider in sorted(found.providers.items())
        ],
        "sinks": [{"name": name, "title": sink.title} for name, sink in sorted(found.sinks.items())],
        "broken": [{"name": broken.name, "reason": broken.reason} for broken in found.broken],
    }
    if as_json:
        click.echo(json.dumps(overview, ensure_ascii=False))
    elif sys.stdout.isatty():
        _tables(overview)
    else:
        _lines(overview)
    if found.broken:
        sys.exit(1)


def _declined(provider: dict[str, Any]) -> str:
    return "; ".join(f"{method}: {reason}" for method, reason in provider["declines"].items())


def _lines(overview: dict[str, list[dict[str, Any]]]) -> None:
    for plugin in overview["plugins"]:
        click.echo(f"plugin {plugin['name']} {plugin['version']}".rstrip() + f": {', '.join(plugin['hooks'])}")
    for provider in overview["providers"]:
        declined = _declined(provider)
        click.echo(
            f"provider {provider['name']} ({provider['title']}): has {', '.join(provider['supports']) or 'no extras'}"
            + (f"; declines {declined}" if declined else "")
        )
    for sink in overview["sinks"]:
        click.echo(f"sink {sink['name']} ({sink['title']})")
    for broken in overview["broken"]:
        click.echo(f"broken {broken['name']}: {broken['reason']}")


def _tables(overview: dict[str, list[dict[str, Any]]]) -> None:
    columns: dict[str, tuple[tuple[str, ...], list[tuple[str, ...]]]] = {
        "Plugins": (
            ("Plugin", "Version", "Hooks"),
            [(each["name"], each["version"], ", ".join(each["hooks"])) for each in overview["plugins"]],
        ),
        "Providers": (
            ("Provider", "Title", "Has", "Declines"),
            [
                (each["name"], each["title"], ", ".join(each["supports"]), _declined(each))
                for each in overview["providers"]
            ],
        ),
        "Sinks": (("Sink", "Title"), [(each["name"], each["title"]) for each in overview["sinks"]]),
        "Broken": (("Plugin", "Reason"), [(each["name"], each["reason"]) for each in overview["broken"]]),
    }
    console = Console()
    for title, (headings, rows) in columns.items():
        if rows:
            table = Table(*headings, title=title, title_justify="left")
            for row in rows:
                # What a plugin says is text, not markup.
                table.add_row(*map(escape, row))
            console.print(table)
