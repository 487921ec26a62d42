"""Deciding, with a reason, who is not messaged, before anything is sent."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from json.encoder import encode_basestring

from connector.audience.reading import IDENTITIES
from connector.audience.senders import Sender, Senders
from connector.model.errors import Fault, RecipientsError
from connector.model.event import SkipReason
from connector.model.limits import Limits
from connector.model.parts import PartCounter
from connector.model.phone import Canonical, Numbers
from connector.model.text import HOST_TEXT, Template

MAX_ADDRESS_CHARACTERS = 100

BETWEEN_IDENTITIES = "\n"
"""Stands between the addresses of one person where they are kept."""

MessageRow = tuple[
    int,
    int,
    int,
    str,
    str | None,
    str | None,
    str | None,
    str | None,
    int | None,
    str | None,
    str | None,
]
"""dispatch, ordinal, shape, address, country, customer_id, content, metadata, parts, state, reason."""

ReadRow = tuple[str | None, str | None, str | None, str | None, str | None, Sequence[str | None]]
"""to, customer_id, text, sender, metadata as JSON, values of the text's parameters."""


@dataclass(slots=True)
class Shape:
    """What the messages of one batch share, and what was seen of their values."""

    number: int
    sender: str | None
    text: str
    defaults: Mapping[str, str]
    also: tuple[str, ...] = ()
    """Parameters that stand elsewhere in the message."""
    outside: bool = False
    """Of people without an open session, who get another message."""
    template: Template = field(init=False)
    counter: PartCounter | None = field(init=False)
    """None: the message has no text whose parts are counted."""
    long_values: set[int] = field(default_factory=set)
    """Parameters, by place, of which some value must travel in pieces."""

    def __post_init__(self) -> None:
        self.template = Template.read(self.text, self.also)
        self.counter = PartCounter(self.template, self.defaults) if self.text else None


class Screen:
    """Screens rows as they are read: number, parameter and length. Repeats are found later, in the ledger.

    `text` is the campaign's text whose parts are counted; empty: it has another kind of message; None: the
    recipients bring their own. `beside` gives the parameters that a message uses elsewhere than in its text.
    `address_of` and `identities_of` are the provider's, where it takes other addresses than phone numbers; `unfit`
    is, too, and tells by address, identities and values why somebody can't get the message.
    """

    def __init__(
        self,
        *,
        text: str | None,
        defaults: Mapping[str, str],
        senders: Senders,
        max_parts: int,
        limits: Limits,
        numbers: Numbers,
        beside: Callable[[str], tuple[str, ...]] = lambda text: (),
        address_of: Callable[[str], str | None] | None = None,
        identities_of: Callable[[str], Sequence[str]] | None = None,
        unfit: Callable[[str, Sequence[str], Mapping[str, str]], str | None] | None = None,
    ) -> None:
        self._text = text
        self._defaults = defaults
        self._senders = senders
        self._by_country = senders.depends_on_country
        self._max_parts = max_parts
        self._max_characters = limits.text_characters or 1_000_000_000
        self._max_value = limits.value_characters or 1_000_000_000
        self._canonical = numbers.canonical
        self._address_of = address_of
        self._identities_of = identities_of
        self._unfit = unfit
        self.knows_identities = False
        """Whether any row so far had identities."""
        self._beside = beside
        self._with_host_text = self._also(HOST_TEXT)
        self.shapes: dict[tuple[str | None, bool, bool], Shape] = {}
        self._own = self._shape(senders.first.value, False) if text is not None else None
        self.names = self._with_host_text if self._own is None else self._own.template.names
        """What is asked for of every row: the parameters, and where it is of use the identities, at the end."""
        served = {*defaults, IDENTITIES}
        self._without_default = frozenset(place for place, name in enumerate(self.names) if name not in served)
        self._host_places = [self.names.index(name) for name in self._with_host_text]

    def _shape(self, sender: str | None, host_text: bool, outside: bool = False) -> Shape:
        key = (sender, host_text, outside)
        shape = self.shapes.get(key)
        if shape is None:
            text = HOST_TEXT if host_text or self._text is None else self._text
            shape = Shape(len(self.shapes), sender, text, self._defaults, self._also(text), outside)
            self.shapes[key] = shape
        return shape

    def _also(self, text: str) -> tuple[str, ...]:
        beside = self._beside(text)
        return beside if self._identities_of is None else (*beside, IDENTITIES)

    def identities(self, content: str | None) -> Sequence[str]:
        """The addresses of the person of a row, where they were given, from the row's content."""
        written = json.loads(content)[-1] if self.knows_identities and content is not None else None
        return written.split(BETWEEN_IDENTITIES) if written else ()

    def outside(self, row: MessageRow) -> MessageRow:
        """The message of a row as it goes to somebody without an open session."""
        inside = list(self.shapes.values())[row[2]]
        shape = self._shape(inside.sender, inside.text == HOST_TEXT, outside=True)
        shape.long_values |= inside.long_values
        return (*row[:2], shape.number, *row[3:])

    def row(self, dispatch: int, ordinal: int, read: ReadRow) -> MessageRow:
        """The message of one row, with its reason when it is not to be sent."""
        to, customer_id, text, sender, metadata, values = read
        number = self._canonical(to) if to else None
        if self._identities_of is not None and (number is None or values[-1] is not None):
            number, values = self._otherwise(to, number, values)
        unserved = False
        chosen = self._senders.first
        if number is not None and (self._by_country or sender is not None):
            found = self._sender_of(sender, number[1], ordinal)
            unserved = found is None
            chosen = found or chosen
        if text is not None:
            shape = self._shape(chosen.value, True)
            incomplete = any(values[place] is None and place in self._without_default for place in self._host_places)
            values = (text, *[values[place] for place in self._host_places])
        else:
            own = self._own
            incomplete = own is None or (
                None in values and any(values[place] is None for place in self._without_default)
            )
            if own is None:
                shape = self._shape(chosen.value, True)
                values = ()
            else:
                shape = own if own.sender == chosen.value else self._shape(chosen.value, False)
        content = _as_json(values) if values else None
        if number is None:
            reason: str | None = SkipReason.invalid_number
            address, country, parts = (to or "").strip()[:MAX_ADDRESS_CHARACTERS], None, None
        else:
            address, country = number[0], number[1] or None
            parts = None
            if unserved:
                reason = SkipReason.country
            elif incomplete:
                reason = SkipReason.missing_parameter
            elif self._unfit is not None and (unfit := self._unfit_for(shape, address, values)) is not None:
                reason = unfit
            elif shape.counter is None:
                reason = None
            else:
                parts, characters = shape.counter.count(values)
                if parts > self._max_parts or characters > self._max_characters or not characters:
                    reason = SkipReason.too_long if characters else SkipReason.missing_parameter
                else:
                    reason = None
                    if characters > self._max_value:
                        self._note_long(shape, values)
        return (
            dispatch,
            ordinal,
            shape.number,
            address,
            country,
            customer_id,
            content,
            metadata,
            parts,
            None if reason is None else "skipped",
            reason,
        )

    def _unfit_for(self, shape: Shape, address: str, values: Sequence[str | None]) -> str | None:
        """Why a person can't get the message, by the provider."""
        if self._unfit is None:
            return None
        written = values[-1] if self._identities_of is not None and values else None
        filled = {
            name: shape.defaults.get(name, "") if value is None else value
            for name, value in zip(shape.template.names, values, strict=True)
        }
        return self._unfit(address, written.split(BETWEEN_IDENTITIES) if written else (), filled)

    def _otherwise(
        self, to: str | None, number: Canonical | None, values: Sequence[str | None]
    ) -> tuple[Canonical | None, Sequence[str | None]]:
        """The address of a person who is not, or not only, reached at a phone number; no country has it."""
        *others, written = values
        found: Sequence[str] = ()
        if written is not None and self._identities_of is not None:
            found = self._identities_of(written)
            if not found:
                return None, (*others, None)
            self.knows_identities = True
        if number is None and to and self._address_of is not None and (address := self._address_of(to)):
            number = address, ""
        if number is None and not to and found:
            number = found[0], ""
        return number, (*others, BETWEEN_IDENTITIES.join(found) if found else None)

    def _sender_of(self, named: str | None, country: str, ordinal: int) -> Sender | None:
        """The sender for a row; None: none of them is used in this country."""
        if named is None:
            return self._senders.of_country(country)
        sender = self._senders.of_row(named)
        if (sender.value, False, False) not in self.shapes and (sender.value, True, False) not in self.shapes:
            wrong = self._senders.what_is_wrong(sender)
            if wrong:
                raise RecipientsError([Fault(f"row {ordinal + 1}", f"The sender {named!r} can't be used. {wrong}")])
        return sender if sender.serves(country) else None

    def _note_long(self, shape: Shape, values: Sequence[str | None]) -> None:
        for place, name in enumerate(shape.template.names):
            value = values[place]
            if len(shape.defaults.get(name, "") if value is None else value) > self._max_value:
                shape.long_values.add(place)


def _as_json(values: Sequence[str | None]) -> str:
    """A JSON array of texts."""
    if None in values:
        return f"[{','.join(['null' if value is None else encode_basestring(value) for value in values])}]"
    return f"[{','.join(map(encode_basestring, values))}]"  # type: ignore[arg-type]
