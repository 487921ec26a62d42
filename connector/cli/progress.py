"""How far it is, with rate and time left, on a terminal; nothing on a pipe."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from connector.audience.reading import RowSource
from connector.cli.output import ERR, moment, say
from connector.connector import Connector, Dispatch
from connector.ledger import totals
from connector.model.errors import LedgerError

REFRESH_SECONDS = 0.5
WHOLE = 1.0

NOBODY_TAKES = (
    "Nobody takes the delivery reports any more that the provider brings: `connector serve` has ended, or stands still."
)
STANDS_STILL = (
    "Another process sends, and nothing of this dispatch has moved for a minute. It may be busy with others "
    "(`connector dispatches`), or stand still, as after Ctrl-Z: `fg` in its terminal lets it go on. Once it has ended, "
    "this command sends what is left."
)


class _Rate(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "")


class _OfAll(ProgressColumn):
    """How many of how many."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.completed:,.0f}" + ("" if task.total is None else f" of {task.total:,.0f}"))


class _RowRate(ProgressColumn):
    """How many rows, and how many a second while they are read."""

    def render(self, task: Task) -> Text:
        rows, seconds = task.fields["rows"], task.elapsed
        reads = rows and seconds and not task.fields["read"]
        return Text(f"{rows:,} rows" + (f", {rows / seconds:,.0f}/s" if reads else ""))


@contextmanager
def reading(rows: RowSource) -> Iterator[None]:
    """Show how much of the recipients is read, while they are."""
    bars = Progress(
        TextColumn("{task.description}"), BarColumn(), _RowRate(), TimeRemainingColumn(), console=ERR, transient=True
    )

    def start() -> Callable[[], None]:
        task = bars.add_task("Reading the recipients", total=None, rows=0, read=False)

        def show() -> None:
            nonlocal task
            lines, share = rows.progress()
            if share is None or share < WHOLE:
                bars.update(task, rows=lines, total=None if share is None else WHOLE, completed=share or 0)
            elif not bars.tasks[0].fields["read"]:
                # How long the rest takes is not known.
                bars.remove_task(task)
                task = bars.add_task("Looking for repeats, making batches", total=None, rows=lines, read=True)

        return show

    with _shown(bars, start):
        yield


@contextmanager
def sending(
    connector: Connector, dispatch: Dispatch, to_hand_over: Callable[[], int], *, final: bool
) -> Iterator[None]:
    """Show how many messages are sent and, with `final`, how many have their last report.

    And what it waits for, where nothing is sent; when all is done, how many events the sinks have still to take.
    """
    told: set[str | None] = set()
    is_called_back = connector.settings.server.public_url is not None
    taken = False
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        _OfAll(),
        _Rate(),
        TimeRemainingColumn(),
        console=ERR,
        transient=True,
    )

    def start() -> Callable[[], None]:
        sent = bars.add_task("Sent", total=None)
        reported = bars.add_task("Reported", total=None, visible=final)
        handed = bars.add_task("Events that platforms have still to take", total=None, visible=False)

        def show() -> None:
            nonlocal taken
            taking = is_called_back and connector.server_is_running()
            _, counts = dispatch.progress()
            unwell = [each for each in connector.accounts() if each.name == dispatch.account and each.probe_at]
            for account in unwell:
                if account.trouble not in told:
                    told.add(account.trouble)
                    say(
                        f"Nothing is sent while the account {account.name} doesn't answer; it is asked again at "
                        f"{moment(account.probe_at)}. {account.trouble or ''}"
                    )
            if not unwell and STANDS_STILL not in told and dispatch.stands_still():
                told.add(STANDS_STILL)
                say(STANDS_STILL)
            enqueued = counts.get(totals.ENQUEUED, 0)
            done = enqueued + counts.get(totals.ENQUEUE_FAILED, 0) + counts.get(totals.UNKNOWN, 0)
            left = sum(counts.get(name, 0) for name in (totals.WAITING, totals.SENDING, totals.IN_DOUBT))
            bars.update(sent, total=done + left, completed=done)
            bars.update(reported, total=enqueued or None, completed=enqueued - counts.get(totals.OPEN, 0))
            awaits = final and (left or counts.get(totals.OPEN, 0))
            if awaits and taken and not taking and NOBODY_TAKES not in told:
                told.add(NOBODY_TAKES)
                say(f"{NOBODY_TAKES} {_reports_then(connector, dispatch)}")
            taken = taking
            if not left and not awaits:
                lag = to_hand_over()
                bars.update(handed, completed=lag, visible=lag > 0)

        return show

    with _shown(bars, start):
        yield


def _reports_then(connector: Connector, dispatch: Dispatch) -> str:
    """How the last reports come where nobody takes callbacks any more."""
    line = connector.lines.get(dispatch.integration)
    if line is None or line.provider.supports("poll"):
        return "They are asked for from now on."
    return "They can't be asked for: unless it runs again in a moment, they are not waited for."


@contextmanager
def _shown(bars: Progress, start: Callable[[], Callable[[], None]]) -> Iterator[None]:
    """Bars on a terminal, looked after by a thread of their own."""
    if not sys.stderr.isatty():
        yield
        return
    ended = threading.Event()

    def watch() -> None:
        show = start()
        while True:
            try:
                show()
            except LedgerError:
                # Whoever works meets the same trouble, and says so.
                return
            if ended.wait(REFRESH_SECONDS):
                return

    with bars:
        watching = threading.Thread(target=watch, name="connector-progress")
        try:
            # Ctrl-C may come as soon as it runs.
            watching.start()
            yield
        finally:
            ended.set()
            if watching.ident is not None:
                watching.join()
