"""How long things are waited for, and what is done when nothing can be found."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class OnAbsent(StrEnum):
    """What to do with a batch that the provider surely does not have."""

    resend = "resend"
    """Send the same batch again, some time ahead, and look once more before it fires."""
    hold = "hold"
    """Leave it in doubt until a person settles it."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings of [tracking], as times."""

    waiting_period: timedelta = timedelta(days=4)
    doubt_window: timedelta = timedelta(seconds=900)
    resend_lead: timedelta = timedelta(seconds=300)
    on_absent: OnAbsent = OnAbsent.resend
    missed_schedule: timedelta = timedelta(hours=1)
    """How late a scheduled dispatch may begin without a person's word."""
    stop_at_error_rate: float | None = None
    """A dispatch of which a greater share failed is paused; None: none is."""
    stop_after_messages: int = 200
    """So many must have come to an end before the share counts."""
    messages_per_day: int | None = None
    first_poll: timedelta = timedelta(minutes=15)
    """After acceptance, where callbacks are expected."""
    first_poll_alone: timedelta = timedelta(seconds=1)
    """After acceptance, where nobody takes callbacks."""
    longest_poll_pause: timedelta = timedelta(hours=6)

    def poll_pause(self, polls: int, *, called_back: bool) -> timedelta:
        """How long after it was asked for so many times a report is asked for again."""
        first = self.first_poll if called_back else self.first_poll_alone
        return min(self.longest_poll_pause, first * 2.0 ** min(polls, 16))

    def recheck_at(self, send_at: datetime) -> datetime:
        """When to look once more before a copy that is scheduled for `send_at` fires."""
        return send_at - min(self.resend_lead / 4, timedelta(seconds=60))

    def period_ends(self, accepted_at: datetime, send_at: datetime | None) -> datetime:
        """The end of the waiting period of a message."""
        return max(accepted_at, send_at or accepted_at) + self.waiting_period
