"""What has to happen when the process forks.

SQLite keeps one account of a file's locks for all connections of a process. A child inherits that account, but not
the locks, so it closes the inherited connections before it opens its own; and as one that is in use can't be
closed, a fork waits for the transactions of other threads.
"""

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

Living = TypeVar("Living")

PATIENCE_SECONDS = 60.0
"""How long a fork waits for transactions; after that the child can't use a ledger."""


_changed = threading.Condition()
_open: Counter[int] = Counter()
"""Thread to how many transactions it is in."""
_waits = False
_in_midst = False
# No WeakMethods: one whose object lives as long as the process can end it with a traceback.
_in_children: WeakKeyDictionary[Any, Callable[[Any], None]] = WeakKeyDictionary()


def in_child(living: Living, step: Callable[[Living], None]) -> None:
    """Have something done with an object in every forked child, as long as the object lives."""
    _in_children[living] = step


def in_midst() -> bool:
    """Whether this process was forked while some transaction was open: then no ledger can be used in it."""
    return _in_midst


@contextmanager
def transaction() -> Iterator[None]:
    """Keep forks out while a connection is in use."""
    me = threading.get_ident()
    with _changed:
        # A fork that waits for this thread's own outer transaction must not be waited for.
        _changed.wait_for(lambda: not _waits or me in _open)
        _open[me] += 1
    try:
        yield
    finally:
        with _changed:
            _open[me] -= 1
            if not _open[me]:
                del _open[me]
            _changed.notify_all()


def _before() -> None:
    global _waits
    me = threading.get_ident()
    _changed.acquire()
    _waits = True
    _changed.wait_for(lambda: not _open.keys() - {me}, PATIENCE_SECONDS)


def _in_parent() -> None:
    global _waits
    _waits = False
    _changed.notify_all()
    _changed.release()


def _in_child() -> None:
    global _waits, _in_midst, _changed
    _in_midst = _in_midst or bool(_open)
    _waits = False
    # Only the thread that forked is here.
    for thread in _open.keys() - {threading.get_ident()}:
        del _open[thread]
    _changed = threading.Condition()
    for living, step in list(_in_children.items()):
        step(living)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
