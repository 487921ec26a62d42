"""Building the body of a batch: one request for up to 1,000 different texts.

The API fills `${alias}` in `body` from `parameters`, a table by column: alias, then number, then value.
Aliases are up to 16 of A-Z a-z 0-9 . _ -, values up to 160 characters; "default" beside the numbers serves
whoever has no value. Source: the SMS API's page "Batches", and "Parameterization" of its guide.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json

from connector.model.batch import Batch

MAX_VALUE_CHARACTERS = 160
DEFAULT = "default"
_ALLOWED_ALIAS = re.compile(r"[A-Za-z0-9._-]{1,16}")
_RISKY_DOLLARS = re.compile(r"\$+(?=\{)")
_LAST_DOLLARS = re.compile(r"\$+\Z")

Column = dict[str, str]


def batch_body(batch: Batch, *, feedback: bool = False) -> bytes:
    """The JSON body of `POST /batches` for this batch and its attempt.

    `feedback` announces that delivery feedback will be given.
    """
    body, parameters = _text_and_parameters(batch)
    attempt = batch.attempt
    request: dict[str, Any] = {"type": "mt_text", "to": list(batch.recipients)}
    if batch.sender is not None:
        request["from"] = batch.sender
    request["body"] = body
    if parameters:
        request["parameters"] = parameters
    request["client_reference"] = batch.key
    # Without an address nothing could be called back: the API refuses a request for reports then.
    request["delivery_report"] = "none" if attempt.callback_url is None else "per_recipient_final"
    if attempt.callback_url is not None:
        request["callback_url"] = attempt.callback_url
    # Always sent: reports tell the number of parts only where this is set.
    request["max_number_of_message_parts"] = batch.max_parts
    if feedback:
        request["feedback_enabled"] = True
    if attempt.send_at is not None:
        request["send_at"] = api_time(attempt.send_at)
    if attempt.expire_at is not None:
        request["expire_at"] = api_time(attempt.expire_at)
    return to_json(request)


def api_time(moment: datetime) -> str:
    """A moment as the API writes it: UTC with milliseconds and `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text_and_parameters(batch: Batch) -> tuple[str, dict[str, Column]]:
    template = batch.template
    aliases = _free_aliases(template.names)
    parameters: dict[str, Column] = {}
    marks: dict[str, str] = {}
    columns = zip(*batch.values, strict=True) if template.names else ()
    for name, column in zip(template.names, columns, strict=True):
        default = batch.defaults.get(name)
        pieces = _pieces_needed(column, default)
        if pieces == 1:
            own = [name if _ALLOWED_ALIAS.fullmatch(name) else next(aliases)]
            parameters[own[0]] = _column(batch.recipients, column, default)
        else:
            own = [next(aliases) for _ in range(pieces)]
            parameters |= _piece_columns(own, batch.recipients, column, default)
        marks[name] = "".join(f"${{{alias}}}" for alias in own)
    return _write(template.pieces, marks, parameters, aliases), parameters


def _free_aliases(taken: Sequence[str]) -> Iterator[str]:
    """Short names that no parameter of the text has."""
    number = 0
    while True:
        number += 1
        if (alias := f"p{number}") not in taken:
            yield alias


def _pieces_needed(column: Sequence[str | None], default: str | None) -> int:
    """The same for every recipient of the batch, as they share the body."""
    longest = max(map(len, filter(None, column)), default=0)
    if default is not None and None in column:
        longest = max(longest, len(default))
    return max(1, -(-longest // MAX_VALUE_CHARACTERS))


def _column(recipients: Sequence[str], column: Sequence[str | None], default: str | None) -> Column:
    if None not in column:
        return dict(zip(recipients, column, strict=True))  # type: ignore[arg-type]
    given = {number: value for number, value in zip(recipients, column, strict=True) if value is not None}
    if default is not None:
        given[DEFAULT] = default
    return given


def _piece_columns(
    aliases: Sequence[str], recipients: Sequence[str], column: Sequence[str | None], default: str | None
) -> dict[str, Column]:
    """Every value cut evenly: of at least as many characters as pieces, none is empty or over the limit."""
    count = len(aliases)
    columns: dict[str, Column] = {alias: {} for alias in aliases}
    for number, given in zip(recipients, column, strict=True):
        value = default if given is None else given
        if value is None:
            continue
        cuts = [place * len(value) // count for place in range(count + 1)]
        for place, alias in enumerate(aliases):
            columns[alias][number] = value[cuts[place] : cuts[place + 1]]
    return columns


def _write(pieces: Sequence[str], marks: dict[str, str], parameters: dict[str, Column], aliases: Iterator[str]) -> str:
    """The body, with each `$` that the API could take for the start of a parameter put in as a parameter.

    How a literal `${` is escaped is not documented.
    """
    dollar: str | None = None

    def put_in(dollars: re.Match[str]) -> str:
        nonlocal dollar
        if dollar is None:
            dollar = next(aliases)
            parameters[dollar] = {DEFAULT: "$"}
        return f"${{{dollar}}}" * len(dollars.group())

    written = []
    for place, piece in enumerate(pieces):
        if place % 2:
            written.append(marks[piece])
            continue
        literal = _RISKY_DOLLARS.sub(put_in, piece)
        written.append(literal if place == len(pieces) - 1 else _LAST_DOLLARS.sub(put_in, literal))
    return "".join(written)
