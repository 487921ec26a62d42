"""A real message to a number of one's own, timed: the whole way there, and the report back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, select, update

from connector.checking.finding import Finding, Result
from connector.ledger.tables import BatchState, DispatchState, Task, batches, dispatches
from connector.model.event import RANK, Event, Status
from connector.report import Report

CAMPAIGN = "connector-check"
TEXT = "This is a test message of campaign-connector. It arrived; nothing else is to be done."
WAIT_SECONDS = 60.0
"""How long a called back report is waited for."""
POLL_SECONDS = 15.0
"""How long the provider is asked for a report that was not called back."""


class ToldBy(StrEnum):
    """How a report reached us."""

    callback = "callback"
    poll = "poll"


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a test message."""

    integration: str
    dispatch: str | None = None
    """None: it was not even tried."""
    accepted_seconds: float | None = None
    """From the start to the provider's answer; None: not accepted."""
    status: Status | None = None
    """How it ended; None: no report that is final came in time."""
    reported_seconds: float | None = None
    """From the start to the final report."""
    told_by: ToldBy | None = None
    called_back: bool = False
    """Whether a callback was waited for."""
    waited_seconds: float = 0.0
    cause: str | None = None
    """Why it was not accepted, or not delivered, as a sentence."""

    @property
    def failed(self) -> bool:
        """Whether it did not get through, or was not even sent."""
        return self.accepted_seconds is None or any(each.result is Result.wrong for each in self.findings())

    def findings(self) -> list[Finding]:
        """What it proves."""
        return [self._message(), *self._way_back()]

    def _finding(self, name: str, result: Result, message: str) -> Finding:
        return Finding(name, result, message, self.integration)

    def _message(self) -> Finding:
        name = "test message"
        if self.dispatch is None:
            return self._finding(name, Result.not_proved, f"It was not sent. {self.cause or ''}".rstrip())
        if self.accepted_seconds is None:
            return self._finding(name, Result.wrong, f"It was not accepted. {self.cause or ''}".rstrip())
        accepted = f"Accepted after {_shown(self.accepted_seconds)}"
        if self.status is None or self.reported_seconds is None:
            sentence = (
                f"{accepted}; no final report within {self.waited_seconds:.0f} s. It may come later: connector report "
                f"{self.dispatch}"
            )
            return self._finding(name, Result.not_proved, sentence)
        told = f"{accepted}, {self.status} after {_shown(self.reported_seconds)}, told by {self.told_by}."
        result = Result.ok if self.status in (Status.delivered, Status.read) else Result.wrong
        return self._finding(name, result, f"{told} {self.cause or ''}".rstrip())

    def _way_back(self) -> list[Finding]:
        name = "callbacks from outside"
        if not self.called_back or self.status is None:
            return []
        if self.told_by is ToldBy.callback:
            return [self._finding(name, Result.ok, "The provider called back with the test message's report.")]
        sentence = (
            f"The provider had the report, and did not call back with it within {self.waited_seconds:.0f} s: it can't "
            "reach [server] public_url, or may not (a firewall, a certificate). Reports are polled meanwhile."
        )
        return [self._finding(name, Result.wrong, sentence)]


def _shown(seconds: float) -> str:
    return f"{max(seconds, 0.1):.1f} s"


def outcome(
    integration: str,
    report: Report,
    events: Sequence[Event],
    *,
    started: datetime,
    told_by: ToldBy,
    called_back: bool,
    waited_seconds: float,
) -> Trial:
    """What became of a test message, as its report and its events tell it."""
    accepted = next((event for event in events if event.status is Status.enqueued), None)
    last = max(events, key=lambda event: RANK.get(event.status, -1), default=None)
    ended = last if last is not None and RANK.get(last.status, -1) > RANK[Status.unconfirmed] else None
    return Trial(
        integration,
        report.dispatch,
        accepted_seconds=None if accepted is None else (accepted.recorded_at - started).total_seconds(),
        status=None if ended is None else ended.status,
        reported_seconds=None if ended is None else (ended.recorded_at - started).total_seconds(),
        told_by=None if ended is None else told_by,
        called_back=called_back,
        waited_seconds=waited_seconds,
        cause=_cause(report),
    )


def _cause(report: Report) -> str | None:
    if report.skipped.total:
        reason = next(iter(report.skipped.by_reason))
        return _REASONS.get(reason, f"The number was skipped: {reason}.")
    if report.errors:
        first = report.errors[0]
        return first.meaning or f"The provider's code is {first.status_code or first.error}."
    if report.in_doubt:
        return "The provider's answer was lost, so it may or may not have been sent; it is not sent again."
    if report.waiting or report.sending:
        return report.cause or "The provider did not take it in time; it is not sent any more."
    return None


_REASONS = {
    "invalid_number": "No phone has this number. Give it with its country code, as in +46 70 174 06 05.",
    "country": "No configured sender may write to this number's country.",
}


def would_send_others(dispatches: Sequence[str]) -> str:
    """Why no test message is sent while other campaigns would go on with it."""
    return (
        f"Other campaigns in this ledger are not finished ({', '.join(dispatches)}), and would be sent on with it. "
        "Start `connector serve` first, or `connector pause` them."
    )


def unfinished(connection: Connection) -> list[str]:
    """Ids of dispatches that whoever works on this ledger would go on sending."""
    left = (BatchState.waiting, BatchState.sending, BatchState.in_doubt)
    query = (
        select(dispatches.c.id)
        .join(batches, batches.c.dispatch == dispatches.c.number)
        .where(dispatches.c.state == DispatchState.running, batches.c.state.in_(left))
        .distinct()
    )
    return list(connection.scalars(query.limit(5)))


def poll_at(connection: Connection, dispatch: int, at: datetime) -> None:
    """Ask for the reports of a dispatch's accepted batches at a time, and not before.

    While nothing is polled, a report that comes was called back.
    """
    connection.execute(
        update(batches)
        .where(batches.c.dispatch == dispatch, batches.c.state == BatchState.accepted, batches.c.task == Task.poll)
        .values(due_at=at)
    )
