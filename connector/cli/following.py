"""Going along with a dispatch until nothing more is to be waited for, and saying how it ended."""

import sys
from collections.abc import Iterable, Iterator

import rich_click as click

from connector.cli import funnel
from connector.cli.interrupts import stopping
from connector.cli.logs import without_stops
from connector.cli.output import count, counted, document, moment, say
from connector.cli.progress import sending
from connector.connector import Connector, Dispatch, SinkState
from connector.extension.secret import Secret
from connector.ledger.tables import DispatchState
from connector.report import Report

HAND_OVER_SECONDS = 30.0
"""How long sinks are waited for once everything is sent: a platform that was away may have days of events to take."""


def read_secrets(connector: Connector, names: Iterable[str]) -> None:
    """Read every secret of these integrations, so that a missing one shows before anything is sent.

    Raises `ConfigurationError`.
    """
    for name in names:
        configured = connector.settings.integrations.get(name)
        for value in () if configured is None else dict(configured.settings).values():
            for secret in value if isinstance(value, list) else [value]:
                if isinstance(secret, Secret):
                    secret.value()


def follow(connector: Connector, dispatch: Dispatch, *, final: bool) -> bool:
    """Send, or go along with the process that does; True when the user stopped it.

    `final`: also until every accepted message has its last report. Events that then still wait for sinks are handed
    over for a while.
    """

    def to_hand_over() -> int:
        return sum(state.lag for state in _behind(connector))

    with stopping() as stop, without_stops(), sending(connector, dispatch, to_hand_over, final=final):
        dispatch.drain(final=final, stop=stop, hand_over_seconds=HAND_OVER_SECONDS)
    return stop.is_set()


def conclude(
    connector: Connector, dispatch: Dispatch, *, as_json: bool, final: bool = False, interrupted: bool = False
) -> None:
    """Print the report, and what is left to do; exits with status 1 where something is."""
    report = dispatch.report()
    if as_json:
        document(report.as_dict())
    else:
        funnel.show(report, working=connector.worker_is_running())
        if report.state == DispatchState.finished and report.open and not (final or connector.worker_is_running()):
            click.echo(f"\n{_still_to_come(connector, dispatch, report)}")
    remind(connector, [dispatch], final=final, interrupted=interrupted)


def remind(connector: Connector, dispatches: Iterable[Dispatch], *, final: bool, interrupted: bool) -> None:
    """Say what is left to do; exits with status 1 where something is."""
    working = connector.worker_is_running()
    left: list[str] = []
    for dispatch in dispatches:
        if dispatch.is_held_for_later():
            say(
                f"It is to be sent at {moment(dispatch.send_at)}, by `connector serve` or `connector worker`: one of "
                f"them must run then.{'' if working else ' None does now.'}"
            )
            continue
        report = dispatch.report()
        waits_in_vain = final and dispatch.is_left_to_callbacks()
        stopped_waiting = interrupted and final and not waits_in_vain
        left += [*_halted(report), *_unfinished(report, stopped_waiting, working), *_doubted(report, working)]
        if waits_in_vain:
            left.append(_still_to_come(connector, dispatch, report))
    for sentence in left:
        say(sentence)
    if not working:
        for sentence in _to_hand_over(connector):
            say(sentence)
    if left:
        sys.exit(1)


def _to_hand_over(connector: Connector) -> Iterator[str]:
    """What the sinks have still to take, where nobody works who hands it over."""
    for state in _behind(connector):
        events = "1 event waits" if state.lag == 1 else f"{count(state.lag)} events wait"
        yield (
            f"{events} for the sink {state.name}, and nothing of it is lost: `connector serve` or `connector worker` "
            f"hands over what is left while it runs. `connector sinks {state.name}` shows how far it is."
        )


def _behind(connector: Connector) -> list[SinkState]:
    """The sinks of the configuration that have still something to take, and are not stopped."""
    if not connector.settings.sinks:
        return []
    states = connector.sinks()
    return [each for each in states if each.lag and each.name in connector.settings.sinks and not each.is_stopped]


def tell_who_waits(connector: Connector, *, but: str | None = None) -> int:
    """Say which dispatches go out with what is sent now, as they wait from before; how many messages they have.

    `but`: one that isn't named, by its id.
    """
    waiting = [line for line in connector.waiting() if line.id != but and line.left]
    for line in waiting:
        messages = counted(line.left, "message", "messages")
        wait = "waits from before, and goes" if line.left == 1 else "wait from before, and go"
        say(
            f"{messages} of {line.campaign} ({line.id}) {wait} out now, too. "
            f"To hold that back: connector pause {line.id}"
        )
    return sum(line.left for line in waiting)


def _halted(report: Report) -> Iterator[str]:
    if report.state == DispatchState.stopped:
        yield f"The dispatch {report.dispatch} was stopped. {_sentence(report.cause)}"
        yield f"Nobody was marked as failed. Once it is mended: connector resume {report.dispatch}"
    elif report.state == DispatchState.paused:
        yield f"The dispatch {report.dispatch} is paused. {_sentence(report.cause)}"
        yield f"To go on: connector resume {report.dispatch}"
    elif report.state == DispatchState.planning:
        yield f"The recipients of the dispatch {report.dispatch} were not read to their end, so nothing of it is sent."
        yield "Unless they are being read just now, start the same `send` again."


def _sentence(text: str | None) -> str:
    return "" if not text else text if text.endswith((".", "?", "!")) else f"{text}."


def _unfinished(report: Report, stopped_waiting: bool, working: bool) -> Iterator[str]:
    if report.state not in (DispatchState.running, DispatchState.finished):
        return
    left = report.waiting + report.sending
    not_sent = counted(left, "of its messages is not sent", "of its messages are not sent")
    if left and report.cause:
        yield f"{not_sent}. {_sentence(report.cause)}"
        yield f"To go on with all: connector resume {report.dispatch}"
    elif left and working:
        yield (f"{not_sent} yet, and another process goes on sending. To stop that: connector pause {report.dispatch}")
    elif left:
        yield (
            f"{not_sent}. What is left goes out as soon as anything sends here again: the command "
            f"`connector resume {report.dispatch}`, the same `send`, that of another campaign, `connector serve` or "
            f"`connector worker`. To hold it: connector pause {report.dispatch}"
        )
    elif stopped_waiting and report.open:
        yield (
            f"Stopped waiting for {counted(report.open, 'report', 'reports')}; what is left still comes in while "
            "`connector serve` or `connector worker` runs."
        )


def _still_to_come(connector: Connector, dispatch: Dispatch, report: Report) -> str:
    """Which reports are still to come, and how."""
    are_to_come = f"{counted(report.open, 'final report is', 'final reports are')} still to come"
    if not dispatch.is_left_to_callbacks():
        return (
            f"{are_to_come}: `connector report {report.dispatch} --wait` waits for that, and `connector serve` takes "
            "reports all the time."
        )
    if connector.settings.server.public_url is None:
        return (
            f"{counted(report.open, 'message has', 'messages have')} no final report, and none can come: this "
            "provider only brings reports (callbacks), and the configuration has no [server] public_url to bring "
            "them to."
        )
    return (
        f"{are_to_come}. This provider only brings reports (callbacks), and nobody takes them just now: "
        f"`connector serve` does while it runs. Beside it `connector report {report.dispatch} --wait` waits for them."
    )


def _doubted(report: Report, working: bool) -> Iterator[str]:
    if report.in_doubt:
        goes_on = (
            "another process looks it up"
            if working
            else "`connector serve` or `connector worker` looks it up while it runs (none does now)"
        )
        yield (
            f"{counted(report.in_doubt, 'message is', 'messages are')} in doubt, as the provider's answer was lost: "
            f"{goes_on}. Details: connector status {report.dispatch}"
        )
