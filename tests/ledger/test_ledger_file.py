"""The ledger's file: its transactions, its roles, its versions, and what is said when it can't be used."""

import sqlite3
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sending_kit import CAMPAIGN, Host, people
from sqlalchemy import insert, inspect, select

from connector.ledger import database, schema, tables
from connector.ledger.database import Ledger
from connector.model.errors import ConfigurationError, LedgerError, SchemaMismatch, WorkerBusy


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")


def count(ledger: Ledger, name: str) -> None:
    with ledger.write() as connection:
        connection.execute(insert(tables.counters).values(integration="i", name=name, count=1))


def names(ledger: Ledger) -> list[str]:
    with ledger.read() as connection:
        return list(connection.scalars(select(tables.counters.c.name).order_by(tables.counters.c.name)))


def test_commits_are_durable_and_readers_are_not_kept_waiting(ledger: Ledger) -> None:
    with ledger.read() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    ledger.close()


def test_a_transaction_is_whole_or_nothing(ledger: Ledger) -> None:
    with pytest.raises(ZeroDivisionError), ledger.write() as connection:
        connection.execute(insert(tables.counters).values(integration="i", name="first", count=1))
        raise ZeroDivisionError
    assert names(ledger) == []
    count(ledger, "second")
    assert names(ledger) == ["second"]
    ledger.close()


def test_a_reader_sees_one_moment(ledger: Ledger) -> None:
    count(ledger, "before")
    with ledger.read() as connection:
        query = select(tables.counters.c.name)
        assert connection.scalars(query).all() == ["before"]
        count(ledger, "meanwhile")
        assert connection.scalars(query).all() == ["before"]
    assert names(ledger) == ["before", "meanwhile"]
    ledger.close()


def test_writers_wait_for_each_other(ledger: Ledger) -> None:
    other = Ledger(f"sqlite:///{ledger.path}")
    writers = [
        threading.Thread(target=count, args=(one, f"{number:02}")) for number, one in enumerate([ledger, other] * 10)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert names(ledger) == [f"{number:02}" for number in range(20)]
    ledger.close()
    other.close()


def test_who_waits_is_not_passed_by_who_has_just_written(ledger: Ledger) -> None:
    """Else whoever writes a campaign without a pause would keep callbacks out for as long as it takes."""
    # Another object on the same file is to it as another process.
    other = Ledger(f"sqlite:///{ledger.path}")
    assert names(other) == []
    order: list[str] = []

    def write_once() -> None:
        with other.write():
            order.append("other")

    waiting = threading.Thread(target=write_once)
    with ledger.write():
        waiting.start()
        deadline = time.monotonic() + 20
        while not ledger.is_held("turn") and time.monotonic() < deadline:
            pass
    for _ in range(3):
        with ledger.write():
            order.append("again")
    waiting.join()
    assert order == ["other", "again", "again", "again"]
    ledger.close()
    other.close()


def test_what_is_urgent_goes_past_the_queue(ledger: Ledger) -> None:
    assert names(ledger) == []

    def order() -> list[str]:
        found: list[str] = []
        about_to: list[str] = []

        def write(name: str) -> None:
            about_to.append(name)
            with ledger.write(urgent=name == "urgent"):
                found.append(name)

        threads = [threading.Thread(target=write, args=(name,)) for name in [*["usual"] * 20, "urgent"]]
        with ledger.write():
            for thread in threads:
                thread.start()
            while len(about_to) < len(threads):
                pass
        for thread in threads:
            thread.join()
        return found

    # Those whose turn had come already may go before it, and now and then a thread is slow to begin at all.
    assert median(order().index("urgent") for _ in range(9)) < 10
    ledger.close()


def test_a_turn_that_never_comes(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_SECONDS", 0.05)
    count(ledger, "before")
    with ledger.hold("turn"), pytest.raises(LedgerError, match="another process holds it"):
        count(ledger, "never")
    assert names(ledger) == ["before"]
    ledger.close()


def test_a_process_that_hangs_while_it_opens(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_SECONDS", 0.05)
    other = Ledger(f"sqlite:///{ledger.path}")
    with ledger.hold("schema"), pytest.raises(LedgerError, match="can't be opened: another process holds it"):
        names(other)
    assert names(other) == []
    ledger.close()
    other.close()


def test_more_threads_than_connections(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_SECONDS", 0.05)
    with ExitStack() as inside, pytest.raises(LedgerError, match="all of its connections"):
        for _ in range(100):
            inside.enter_context(ledger.read())
    count(ledger, "after")
    assert names(ledger) == ["after"]
    ledger.close()


def test_a_role_is_held_by_one(ledger: Ledger) -> None:
    other = Ledger(f"sqlite:///{ledger.path}")
    assert not other.is_held("worker")
    with ledger.hold("worker"):
        assert other.is_held("worker")
        with pytest.raises(WorkerBusy, match="worker"), other.hold("worker"):
            raise AssertionError
        with other.hold("another"):
            pass
    with other.hold("worker"):
        pass
    ledger.close()
    other.close()


def test_the_schema_is_that_of_the_tables(ledger: Ledger) -> None:
    """Made by the migrations, it has the tables, columns and indexes that the code writes down."""
    with ledger.read() as connection:
        found = inspect(connection)
        for table in tables.metadata.sorted_tables:
            assert {column["name"] for column in found.get_columns(table.name)} == set(table.columns.keys()), table
            assert {index["name"] for index in found.get_indexes(table.name)} >= {index.name for index in table.indexes}
        made = set(found.get_table_names())
    assert made == {table.name for table in tables.metadata.sorted_tables} | {"alembic_version"} | (
        made & {"sqlite_sequence"}
    )
    ledger.close()


def test_the_code_knows_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", "connector:ledger/migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == schema.HEAD


def test_a_ledger_of_a_newer_version_is_left_alone(ledger: Ledger) -> None:
    count(ledger, "kept")
    ledger.close()
    with closing(sqlite3.connect(ledger.path)) as file:
        file.execute("UPDATE alembic_version SET version_num = '9999'")
        file.commit()
    with pytest.raises(SchemaMismatch, match=r"9999.*Upgrade the connector"):
        names(ledger)
    ledger.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "postgresql://localhost/x", "not a url"])
def test_a_url_that_names_no_file_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"storage\.url"):
        Ledger(url)


def test_a_place_that_does_not_exist_is_named(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'nowhere' / 'ledger.db'}")
    with pytest.raises(LedgerError, match=r"nowhere.*folder exists"):
        names(ledger)


def test_a_file_that_is_no_ledger_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"These are not the records of anything." * 100)
    ledger = Ledger(f"sqlite:///{path}")
    with pytest.raises(LedgerError, match=r"ledger\.db"):
        names(ledger)


def test_a_ledger_may_be_used_again_after_it_was_closed(ledger: Ledger) -> None:
    count(ledger, "before")
    ledger.close()
    assert names(ledger) == ["before"]
    ledger.close()


def test_the_log_is_read_by_position(host: Host) -> None:
    """Page by page, of whatever size, nothing is missed and nothing comes twice."""
    plan = host.plan()
    connector = host.connector(plan)
    rows = [*people(1010), *people(50), {"to": "none", "name": "x"}]
    dispatch = connector.send(CAMPAIGN, rows, drain=False)
    host.settle(dispatch, when=lambda report: report.is_final)
    everything = connector.events(limit=10_000)
    assert len(everything) == 51 + 1010 + 1010
    assert len({event.id for event in everything}) == len(everything)
    positions = [event.position for event in everything]
    assert positions == sorted(set(positions))
    for size in (1, 70, 999, 1000, 1001):
        wanted = everything[:60] if size == 1 else everything
        paged, after = [], -1
        while len(paged) < len(wanted) and (page := connector.events(after=after, limit=size)):
            assert len(page) <= size
            paged += page
            after = page[-1].position
        assert paged[: len(wanted)] == wanted
    assert connector.events(after=positions[-1]) == []
