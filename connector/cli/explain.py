"""`connector explain`: what a provider's code means."""

import difflib
import sys
from collections.abc import Iterable
from dataclasses import asdict

import rich_click as click

from connector.cli.completion import codes
from connector.cli.output import document, json_option, table
from connector.config.messages import unknown_name
from connector.extension.plugins import Plugins
from connector.model.codes import ErrorCode
from connector.model.errors import InputError
from connector.model.event import StatusCodeSource
from connector.model.outcome import Scope
from connector.model.words import SCOPES, TOLD_BY, TURNS, retry

NEAREST = 3


@click.command("explain")
@click.argument("code", shell_complete=codes)
@json_option
def explain(code: str, as_json: bool) -> None:
    """Say what a provider's code means, whose turn it is, and whether sending again helps.

    Use it with a code from a report, an event or an error, such as 402 or syntax_invalid_json. The same number may
    mean one thing as the answer to a request and another in a delivery report: http:402, report:402 and smpp:150
    name the one that is meant. The exit status is 1 if no provider that is installed knows it.
    """
    source, wanted = _read(code)
    providers = sorted(Plugins().providers.items())
    every = [(name, known) for name, provider in providers for known in provider.codes.values()]
    found = [
        (name, known)
        for name, known in every
        if known.code.casefold() == wanted.casefold() and source in (None, known.source)
    ]
    nearest = [] if found else _nearest(wanted, (known for _, known in every))
    if as_json:
        listed = [{"provider": name, **asdict(known)} for name, known in found]
        document({"code": code, "found": listed, "nearest": nearest})
    elif found:
        for place, (name, known) in enumerate(found):
            _show(name, known, title=f"{'' if not place else chr(10)}{known.source}:{known.code}")
    else:
        known_by = ", ".join(name for name, _ in providers) or "none"
        hint = f" The nearest that are known: {', '.join(nearest)}." if nearest else ""
        click.echo(f"No provider that is installed ({known_by}) knows a code {code}.{hint}", err=True)
    if not found:
        sys.exit(1)


def _read(code: str) -> tuple[StatusCodeSource | None, str]:
    """The source that is named, if any, and the code. Raises `InputError`."""
    source, colon, wanted = code.strip().partition(":")
    if not colon:
        return None, source
    if source.casefold() not in list(StatusCodeSource):
        raise InputError(f"{code}: {unknown_name(source, list(StatusCodeSource), 'source of codes')}")
    return StatusCodeSource(source.casefold()), wanted.strip()


def _nearest(wanted: str, known: Iterable[ErrorCode]) -> list[str]:
    """The codes that are written most alike; of numbers, those that lie nearest where none is alike."""
    every = list(dict.fromkeys(each.code for each in known))
    alike = difflib.get_close_matches(wanted.casefold(), every, n=NEAREST)
    if alike or not wanted.isdecimal():
        return alike
    return sorted((each for each in every if each.isdecimal()), key=lambda each: abs(int(each) - int(wanted)))[:NEAREST]


def _show(provider: str, known: ErrorCode, title: str) -> None:
    table(
        ("", ""),
        [
            ("meaning", known.meaning),
            ("told by", f"{TOLD_BY[known.source]} ({provider})"),
            ("concerns", SCOPES[known.scope]),
            ("whose turn", TURNS[known.turn]),
            ("final", _final(known)),
            ("sending again", retry(known.retry)),
        ],
        title=title,
    )


def _final(known: ErrorCode) -> str:
    if known.scope in (Scope.campaign, Scope.country, Scope.account):
        return "no: who is left waits until it is mended"
    return "yes: nothing more comes of this message" if known.final else "no: more may come"
