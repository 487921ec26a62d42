"""Cutting a planned dispatch into batches."""

import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from connector.audience.screening import Shape
from connector.ledger.database import Ledger
from connector.ledger.tables import messages, shapes

CHUNK = 1000


@dataclass(slots=True)
class Cut:
    """One batch to be: a range of rows of one shape."""

    shape: int
    first: int
    last: int
    size: int
    parts: int


_WAITING = (
    "SELECT ordinal, shape, parts FROM messages "
    "WHERE dispatch = ? AND ordinal > ? AND state IS NULL ORDER BY ordinal LIMIT ?"
)


def cuts(ledger: Ledger, dispatch: int, size: int) -> Iterator[Cut]:
    """Ranges of rows with at most `size` messages of one shape each, in the order of their first rows.

    Between two of them no transaction is open: there may be as many as recipients.
    """
    begun: deque[Cut] = deque()
    unfilled: dict[int, Cut] = {}
    after = -1
    while chunk := _waiting(ledger, dispatch, after):
        after = chunk[-1][0]
        for ordinal, shape, parts in chunk:
            cut = unfilled.get(shape)
            if cut is None:
                cut = unfilled[shape] = Cut(shape, ordinal, ordinal, 0, 0)
                begun.append(cut)
            cut.last = ordinal
            cut.size += 1
            cut.parts += parts or 0
            if cut.size == size:
                del unfilled[shape]
        while begun and begun[0].size == size:
            yield begun.popleft()
    yield from begun


def _waiting(ledger: Ledger, dispatch: int, after: int) -> Sequence[Any]:
    with ledger.read() as connection:
        # The driver's own rows: half of the cost of going through a million, and of counting them in the database.
        rows = connection.connection.cursor()
        rows.execute(_WAITING, (dispatch, after, CHUNK))
        return rows.fetchall()


def separate_short_values(ledger: Ledger, dispatch: int, found: list[Shape], max_pieces: int) -> None:
    """Keep values that are too short to be cut into as many pieces as another's long one out of its batch.

    All values of one parameter travel in the same number of pieces within a batch, and no piece may be
    empty: those with at least `max_pieces` characters can always go together.
    """
    next_number = len(found)
    for shape in [shape for shape in found if shape.long_values]:
        by_class: dict[tuple[bool, ...], int] = {}
        after = -1
        while True:
            with ledger.read() as connection:
                rows = connection.execute(
                    select(messages.c.ordinal, messages.c.content)
                    .where(
                        messages.c.dispatch == dispatch,
                        messages.c.ordinal > after,
                        messages.c.shape == shape.number,
                        messages.c.state.is_(None),
                    )
                    .order_by(messages.c.ordinal)
                    .limit(CHUNK)
                ).all()
            if not rows:
                break
            after = rows[-1].ordinal
            moved = []
            made: list[int] = []
            for row in rows:
                values = json.loads(row.content)
                of_class = tuple(
                    len(shape.defaults.get(shape.template.names[place], "") if values[place] is None else values[place])
                    >= max_pieces
                    for place in sorted(shape.long_values)
                )
                number = by_class.get(of_class)
                if number is None:
                    if by_class:
                        number, next_number = next_number, next_number + 1
                        made.append(number)
                    else:
                        number = shape.number
                    by_class[of_class] = number
                if number != shape.number:
                    moved.append({"o": row.ordinal, "s": number})
            with ledger.write() as connection:
                for number in made:
                    connection.execute(
                        insert(shapes).values(
                            dispatch=dispatch,
                            shape=number,
                            sender=shape.sender,
                            text=shape.text,
                            outside=shape.outside or None,
                        )
                    )
                if moved:
                    connection.execute(
                        update(messages)
                        .where(messages.c.dispatch == dispatch, messages.c.ordinal == bindparam("o"))
                        .values(shape=bindparam("s")),
                        moved,
                    )
