"""What a provider takes in one request, and what the core must know of it."""

from dataclasses import dataclass

MAX_BATCH_RECIPIENTS = 1000
"""The most messages that one batch carries, whatever the provider takes: transactions stay short."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a provider's API, as its plugin declares them."""

    batch_recipients: int = MAX_BATCH_RECIPIENTS
    """The most recipients of one request; at most `MAX_BATCH_RECIPIENTS` are used."""
    text_characters: int | None = None
    """The longest text of one message, after parameters are put in."""
    value_characters: int | None = None
    """The longest value of one parameter; a longer one travels in pieces."""
    schedules: bool = False
    """Whether a batch may carry a time to send at."""
    expiry_days: float | None = None
    """How long after sending a message may still be delivered, at most."""
    listing_days: float | None = None
    """How long a batch can be looked up."""
    requests_per_second: float | None = None
    """The most requests that an account takes in a second, whatever they carry."""

    @property
    def max_pieces(self) -> int:
        """The most pieces that a value can need."""
        if self.value_characters is None or self.text_characters is None:
            return 1
        return -(-self.text_characters // self.value_characters)
