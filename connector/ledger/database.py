"""Opening the ledger: connections, transactions, locks that die with their process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as NoConnection

from connector.ledger import forking, schema
from connector.model.errors import ConfigurationError, Fault, LedgerError, WorkerBusy

BUSY_TIMEOUT_SECONDS = 60
CACHE_KIBIBYTES = 4096
TURN_POLL_SECONDS = 0.001
ROLE_WAIT_SECONDS = 0.2
CHECKPOINT_PAGES = 4000
"""Some 16 MB of log before it is taken into the file: bulk writes pay for it less often."""


class Ledger:
    """The durable record of everything, in one SQLite file.

    Opens nothing until it is first used, and opens anew in a forked child. Safe to share between threads.
    """

    def __init__(self, url: str) -> None:
        self._url = _sqlite_url(url)
        self.path = Path(self._url.database or "").absolute()
        self._renew_locks()
        self._engine: Engine | None = None
        forking.in_child(self, Ledger._begin_anew)

    def _renew_locks(self) -> None:
        self._guard = threading.Lock()
        self._queue = threading.Lock()
        self._writing = threading.Lock()
        self._turn = self._lock("turn")

    def _begin_anew(self) -> None:
        """In a forked child: close the parent's connections on this side."""
        self._renew_locks()
        engine, self._engine = self._engine, None
        if engine is not None and not forking.in_midst():
            engine.dispose()

    def _connect(self) -> Engine:
        with self._guard:
            if forking.in_midst():
                raise LedgerError(
                    f"The ledger {self.path} can't be used in this process: it was forked while its parent was at "
                    f"work on it. Fork before, or start processes by spawn."
                )
            if self._engine is None:
                engine = _engine(self._url)
                try:
                    # A lock would make the folder: a misspelt one must not become a second, empty ledger.
                    if not self.path.parent.is_dir():
                        raise FileNotFoundError(self.path.parent)
                    with self._lock("schema").acquire(timeout=BUSY_TIMEOUT_SECONDS):
                        schema.ensure(engine)
                except Timeout as error:
                    engine.dispose()
                    raise LedgerError(
                        f"The ledger {self.path} can't be opened: another process holds it, as while it brings it to "
                        f"a new version. Try again, and end that process where it hangs."
                    ) from error
                except (DBAPIError, OSError) as error:
                    engine.dispose()
                    raise LedgerError(
                        f"The ledger {self.path} can't be opened ({_reason(error)}): "
                        f"check [storage] url, and that the folder exists and may be written."
                    ) from error
                except BaseException:
                    engine.dispose()
                    raise
                self._engine = engine
            return self._engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads, and sees one moment."""
        with (
            forking.transaction(),
            _speaking(self.path),
            self._connect().connect() as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def write(self, *, urgent: bool = False) -> Iterator[Connection]:
        """A transaction that may write: all of it is durable at the end, or nothing.

        Processes take turns, so that each waits for a transaction of the others, not for all that they have to
        write. What is `urgent` goes before the other threads of this process.
        """
        with (
            forking.transaction(),
            _speaking(self.path),
            # Threads of one process queue here, and what is urgent goes past the queue.
            nullcontext() if urgent else self._queue,
            self._writing,
            self._connect().connect() as connection,
        ):
            # Whoever has just written comes after who is waiting here: SQLite's own waiting sleeps ever longer, and
            # is passed by all who come anew.
            with self._in_turn():
                transaction = connection.execution_options(connector_writes=True).begin()
            with transaction:
                yield connection

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        try:
            self._turn.acquire(timeout=BUSY_TIMEOUT_SECONDS, poll_interval=TURN_POLL_SECONDS)
        except OSError as error:
            why = "another process holds it" if isinstance(error, Timeout) else error.strerror
            raise LedgerError(f"The ledger {self.path} can't be written: {why}.") from error
        try:
            yield
        finally:
            self._turn.release()

    def _lock(self, name: str) -> FileLock:
        return FileLock(f"{self.path}.{name}.lock", thread_local=False)

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Hold a named role, which a process loses by ending in any way.

        Raises `WorkerBusy` when another process holds it.
        """
        with forking.transaction():
            self._connect()
        lock = self._lock(name)
        try:
            # Whoever only looks whether it is held has it for a moment.
            lock.acquire(timeout=ROLE_WAIT_SECONDS, poll_interval=ROLE_WAIT_SECONDS / 10)
        except Timeout as error:
            raise WorkerBusy(f"Another process holds the {name} role of {self.path}.") from error
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def hold_once(self, name: str) -> Iterator[None]:
        """Hold a role that nobody else ever takes; nothing is left of it."""
        try:
            with self.hold(name):
                yield
        finally:
            self.forget(name)

    def forget(self, name: str) -> None:
        """Leave nothing of a role that nobody will take again."""
        Path(self._lock(name).lock_file).unlink(missing_ok=True)

    def is_held(self, name: str) -> bool:
        """Whether any process holds a role just now."""
        if not Path(self._lock(name).lock_file).exists():
            return False
        lock = self._lock(name)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        lock.release()
        return False

    def close(self) -> None:
        """Close every connection; the ledger may be used again."""
        with forking.transaction(), self._guard:
            if self._engine is not None:
                self._engine.dispose()
            self._engine = None


def _sqlite_url(text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        raise ConfigurationError([Fault("storage.url", "This must name a SQLite file, as in sqlite:///connector.db.")])
    return url


def _engine(url: URL) -> Engine:
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        pool_timeout=BUSY_TIMEOUT_SECONDS,
        # An error with its values would carry people into the logs.
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, record: Any) -> None:
        # The driver's own transaction handling commits behind our back: we begin ourselves.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=OFF",
            f"cache_size=-{CACHE_KIBIBYTES}",
            f"wal_autocheckpoint={CHECKPOINT_PAGES}",
            f"busy_timeout={BUSY_TIMEOUT_SECONDS * 1000}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("connector_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@contextmanager
def _speaking(path: Path) -> Iterator[None]:
    try:
        yield
    except NoConnection as error:
        raise LedgerError(
            f"The ledger {path} can't be used: other threads of this process had all of its connections for "
            f"{BUSY_TIMEOUT_SECONDS} seconds. Let fewer of them use it at the same time, and try again."
        ) from error
    except DatabaseError as error:
        if isinstance(error, IntegrityError | ProgrammingError | DataError):
            raise
        raise LedgerError(f"The ledger {path} can't be used: {_reason(error)}.") from error


_REMEDIES = {
    "SQLITE_FULL": "make room on its disk, and try again",
    "SQLITE_IOERR_WRITE": "is its disk full? Make room, and try again",
    "SQLITE_BUSY": "another program has been writing to it for too long; end that one, and try again",
}


def _reason(error: Exception) -> str:
    """What the database says, without the statement and its values, and what to do where that is known."""
    if not isinstance(error, DBAPIError):
        return str(error.__class__.__name__)
    remedy = _REMEDIES.get(getattr(error.orig, "sqlite_errorname", ""))
    return f"{error.orig}: {remedy}" if remedy else str(error.orig)
