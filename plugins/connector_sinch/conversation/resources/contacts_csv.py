"""Contacts as a table: a file that comes out goes in again.

Columns: `id` (out only), `display_name`, `email`, `external_id`, `language`, `metadata`, `channel_priority` (channels
with spaces between them) and `identities`: `CHANNEL:identity`, or `CHANNEL/APP_ID:identity` where it belongs to an app,
with `;` between several. A column may also be named like a channel, and then holds each person's identity there.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TextIO
from urllib.parse import quote, unquote

from connector.model.errors import Fault, InputError
from connector_sinch.conversation.resources.contacts import Contact, contact, identity
from connector_sinch.conversation.resources.resource import APP_SCOPED, Channel

TEXTS = ("display_name", "email", "external_id", "metadata")
COLUMNS = ("id", *TEXTS, "language", "channel_priority", "identities")
MAX_FAULTS = 20
_SAFE = "+@=/_-.~ :"


def write(contacts: Iterable[Contact], file: TextIO) -> int:
    """Write contacts under their headings; how many."""
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(COLUMNS)
    count = 0
    for each in contacts:
        identities = ";".join(_written(one.channel, one.app_id, one.identity) for one in each.channel_identities)
        texts = [getattr(each, name) for name in TEXTS]
        rows.writerow([each.id, *texts, each.language, " ".join(map(str, each.channel_priority)), identities])
        count += 1
    return count


def read(file: TextIO, *, app_id: str, source: str) -> Iterator[dict[str, Any]]:
    """The contacts of a table, as the API takes them; `app_id` is that of identities which name none.

    Raises `InputError` with what is wrong, by line, once the file was read to its end or twenty lines are wrong.
    """
    rows = csv.DictReader(file)
    headings = rows.fieldnames or []
    unknown = [name for name in headings if name not in COLUMNS and name not in list(Channel)]
    if unknown or not headings:
        found = f"there is a column {unknown[0]!r}" if unknown else "it is empty"
        raise InputError(
            f"{source}: {found}. Columns are {', '.join(COLUMNS)}, and the names of channels ({', '.join(Channel)})."
        )
    faults = []
    try:
        for row in rows:
            try:
                yield _read_row(row, app_id)
            except InputError as error:
                faults.append(Fault(f"line {rows.line_num}", str(error), source))
                if len(faults) == MAX_FAULTS:
                    break
    except (csv.Error, UnicodeDecodeError) as error:
        faults.append(Fault(f"after line {rows.line_num}", "This is no CSV in UTF-8; save the file anew.", source))
        raise InputError(faults) from error
    if faults:
        raise InputError(faults)


def _read_row(row: Mapping[str, Any], app_id: str) -> dict[str, Any]:
    if None in row:
        raise InputError("it has more cells than there are headings.")
    texts = {name: (row.get(name) or "").strip() for name in row}
    identities = [_read_identity(word, app_id) for word in texts.get("identities", "").split(";") if word.strip()]
    for channel in Channel:
        if texts.get(channel):
            identities.append(identity_on(channel, texts[channel], None, app_id=app_id))
    if not identities:
        raise InputError("it has no identity: fill identities, or a column named like a channel.")
    return contact(
        channel_identities=identities,
        language=texts.get("language") or "UNSPECIFIED",
        channel_priority=texts.get("channel_priority", "").split() or None,
        **{name: texts[name] for name in TEXTS if texts.get(name)},
    )


def _read_identity(word: str, app_id: str) -> dict[str, str]:
    where, colon, value = word.strip().partition(":")
    if not colon:
        raise InputError("an identity is written CHANNEL:identity, as in SMS:+12015550123.")
    channel, _, app = where.partition("/")
    return identity_on(channel, unquote(value), app or None, app_id=app_id)


def identity_on(channel: str, value: str, app: str | None, *, app_id: str) -> dict[str, str]:
    """An identity as the API takes it; where it must belong to an app and names none, to `app_id`."""
    return identity(channel, value, app or (app_id if channel in APP_SCOPED else None))


def _written(channel: str, app: str, value: str) -> str:
    return f"{channel}{f'/{app}' if app else ''}:{quote(value, safe=_SAFE)}"
