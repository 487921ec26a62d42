"""What commands print: tables for a terminal, aligned text for a pipe, one JSON document for programs."""

import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import rich_click as click
from pydantic_core import from_json, to_json
from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

ERR = Console(stderr=True, highlight=False)
"""Standard error: one console, so that a sentence goes above a progress bar and not into it."""

GAP = "  "
"""Between columns, and before what stands under a row."""

WIDEST = 100
"""Lines of prose are no longer than this: longer ones are hard to read."""

FOLDED_CELLS = 14
"""A column that may be folded is not made narrower than this, as long as others can give way."""

Command = TypeVar("Command", bound=Callable[..., Any])


def json_option(command: Command) -> Command:
    """The `--json` of every command that shows something."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print the result as one JSON document, for other programs."
    )(command)


def document(value: Any) -> None:
    """Print one JSON document; times in it are ISO 8601 in UTC."""
    click.echo(to_json(value, inf_nan_mode="constants").decode())


def fields_in(text: str) -> list[tuple[str, str]]:
    """What a text of JSON holds, as lines of where it stands and what it is: names by dots, places in lists from 1.

    What is empty is left out; a text that is no JSON is one line.
    """
    try:
        read = from_json(text)
    except ValueError:
        read = text
    return [(".".join(path), value.replace("\r\n", " ⏎ ").replace("\n", " ⏎ ")) for path, value in _leaves(read, ())]


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    match value:
        case dict():
            for name, inner in value.items():
                yield from _leaves(inner, (*path, name))
        case list() if all(isinstance(each, str) for each in value):
            yield path, ", ".join(value)
        case list():
            for place, inner in enumerate(value, 1):
                yield from _leaves(inner, (*path, str(place)))
        case None | "":
            return
        case str():
            yield path, value
        case _:
            yield path, to_json(value).decode()


def on_terminal() -> bool:
    """Whether a person reads standard output."""
    return sys.stdout.isatty()


def count(number: int) -> str:
    """A number: with separators for people, plain on a pipe."""
    return f"{number:,}" if on_terminal() else str(number)


def counted(number: int, one: str, more: str) -> str:
    """A number in a sentence, with the words that agree with it: `1 report is`, `3,320 reports are`."""
    return f"{number:,} {one if number == 1 else more}"


def moment(at: datetime | None) -> str:
    """A time: local with its offset for people, ISO 8601 in UTC on a pipe."""
    if at is None:
        return "-"
    if on_terminal():
        return at.astimezone().isoformat(sep=" ", timespec="seconds")
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Sequence[str] = (),
    title: str | None = None,
    err: bool = False,
    whole: Sequence[str] = (),
    yielding: Sequence[str] = (),
    dropped: Sequence[str] = (),
) -> None:
    """Print rows under headings; the columns named in `right` are aligned to the right.

    On a terminal, the columns of `whole` are never wrapped. Where it is too narrow, those of `yielding` give way one
    after the other: to lines of their own under their row, or, where `dropped` names them, altogether.
    """
    given = [list(row) for row in rows]
    if (sys.stderr if err else sys.stdout).isatty():
        console = Console(stderr=err, highlight=False)
        if yielding:
            _fitted(console, headings, given, right, whole, yielding, dropped)
        else:
            _drawn(console, headings, given, right, title)
        return
    if title:
        click.echo(title, err=err)
    lines = [list(headings), *given] if any(headings) else given
    widths = [max(cell_len(line[place]) for line in lines) for place in range(len(headings))]
    for line in lines:
        cells = [
            " " * (width - cell_len(cell)) + cell if heading in right else cell + " " * (width - cell_len(cell))
            for cell, heading, width in zip(line, headings, widths, strict=True)
        ]
        click.echo(GAP.join(cells).rstrip(), err=err)


def _drawn(
    console: Console, headings: Sequence[str], rows: list[list[str]], right: Sequence[str], title: str | None
) -> None:
    drawn = Table(title=title, title_justify="left", show_header=any(headings), box=None, pad_edge=False)
    for heading in headings:
        # What doesn't fit is folded: an id that is cut can't be used.
        justify: JustifyMethod = "right" if heading in right else "left"
        drawn.add_column(heading, justify=justify, header_style="bold", overflow="fold")
    for row in rows:
        # What a file or a provider says is text, not markup.
        drawn.add_row(*map(escape, row))
    console.print(drawn)


def _fitted(
    console: Console,
    headings: Sequence[str],
    rows: list[list[str]],
    right: Sequence[str],
    whole: Sequence[str],
    yielding: Sequence[str],
    dropped: Sequence[str],
) -> None:
    lines = [dict(zip(headings, row, strict=True)) for row in rows]
    widths = {
        heading: max(cell_len(cell) for cell in [heading, *(line[heading] for line in lines)]) for heading in headings
    }
    firm = {*whole, *right, *yielding}
    beside = list(headings)

    def room() -> int:
        """What is left for the columns that may be folded."""
        return console.width - sum(widths[each] for each in beside if each in firm) - len(GAP) * (len(beside) - 1)

    foldable = [heading for heading in headings if heading not in firm]
    wanted = sum(min(widths[heading], FOLDED_CELLS) for heading in foldable)
    for heading in yielding:
        if room() >= wanted:
            break
        beside.remove(heading)
    share = max(room() // max(len(foldable), 1), 1)
    widths.update({heading: min(widths[heading], max(share, len(heading))) for heading in foldable})
    # An id that is cut can't be used: rather does the terminal itself break the line.
    console.width = max(console.width, sum(widths[each] for each in beside) + len(GAP) * (len(beside) - 1))
    under = [heading for heading in headings if heading not in beside and heading not in dropped]

    def show(line: dict[str, str], style: str = "") -> None:
        drawn = Table.grid(padding=(0, len(GAP), 0, 0))
        for heading in beside:
            justify: JustifyMethod = "right" if heading in right else "left"
            drawn.add_column(
                width=widths[heading], justify=justify, style=style, overflow="fold", no_wrap=heading in whole
            )
        drawn.add_row(*(escape(line[heading]) for heading in beside))
        console.print(drawn)

    show({heading: heading for heading in headings}, "bold")
    for line in lines:
        show(line)
        numbers = ", ".join(f"{heading} {line[heading]}" for heading in under if heading in right)
        for text in [numbers, *(line[heading] for heading in under if heading not in right)]:
            if text:
                console.print(Padding(Text(text, overflow="fold"), (0, 0, 0, len(GAP))))


def fitted(text: str, indent: str = "", *, begin: str = "") -> str:
    """A text in lines that fit the terminal; `begin` stands before the first. Addresses and paths stay in one piece."""
    return textwrap.fill(
        text,
        min(shutil.get_terminal_size().columns, WIDEST),
        initial_indent=indent + begin,
        subsequent_indent=indent + " " * len(begin),
        break_long_words=False,
        break_on_hyphens=False,
    )


def sentences(text: str, *, err: bool = False) -> None:
    """Print prose: each line of it fitted to a terminal, as it is to a pipe."""
    if (sys.stderr if err else sys.stdout).isatty():
        text = "\n".join(fitted(line) for line in text.splitlines())
    click.echo(text, err=err)


def say(sentence: str) -> None:
    """Tell the person at the terminal something that is not the result."""
    if ERR.is_terminal:
        ERR.print(Text(fitted(sentence)), soft_wrap=True)
    else:
        click.echo(sentence, err=True)


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show that something takes its time, to a terminal only."""
    if not sys.stderr.isatty():
        yield
        return
    with ERR.status(what):
        yield
