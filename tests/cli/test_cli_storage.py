"""`connector storage upgrade`."""

import hashlib
import io
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from cli_kit import Desk

from connector.ledger import schema
from connector.ledger.database import Ledger


def make(path: Path, version: str) -> None:
    """An empty ledger as an earlier connector made it."""
    config = Config(output_buffer=io.StringIO())
    config.set_main_option("script_location", "connector:ledger/migrations")
    command.upgrade(config, f"base:{version}", sql=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(config.output_buffer.getvalue())


def drawn(path: Path) -> list[tuple[str, str]]:
    """Every table and index of a file, as its columns and indexes tell it."""
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return sorted(
            (name, str(connection.execute(f"SELECT * FROM pragma_{what}('{name}')").fetchall()))
            for name in names
            for what in ("table_info", "index_list")
        )


def test_an_older_ledger_is_brought_up_and_told(desk: Desk) -> None:
    make(desk.folder / "connector.db", "0001")
    assert desk.json("storage", "upgrade") == {
        "ledger": str(desk.folder / "connector.db"),
        "from": "0001",
        "to": schema.HEAD,
    }
    again = desk.run("storage", "upgrade")
    assert (again.exit_code, again.stderr) == (0, "")
    assert f"Nothing was to be done: the ledger {desk.folder / 'connector.db'} has schema {schema.HEAD}" in again.stdout
    make(desk.folder / "other.db", "0001")
    desk.configure(storage={"url": "sqlite:///other.db"})
    text = desk.run("storage", "upgrade").stdout
    assert f"had schema 0001, and has schema {schema.HEAD} now" in text


def test_reports_that_an_earlier_version_kept_are_known_again(desk: Desk) -> None:
    path = desk.folder / "connector.db"
    make(path, "0008")
    with closing(sqlite3.connect(path)) as connection:
        connection.executemany(
            "INSERT INTO kept_reports (why, integration, received_at, body) VALUES ('unreadable', 'x', 0, ?)",
            [(f'{{"place": {place}}}',) for place in range(1001)],
        )
        connection.commit()
    desk.json("storage", "upgrade")
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT body, digest FROM kept_reports").fetchall()
    assert len(found) == 1001
    assert all(digest == hashlib.sha256(body.encode()).hexdigest() for body, digest in found)


def test_without_a_ledger_one_is_made(desk: Desk) -> None:
    text = desk.run("storage", "upgrade").stdout
    assert "There was no ledger yet" in text
    assert desk.json("dispatches") == {"dispatches": []}


@pytest.mark.parametrize("version", [None, "0001"])
def test_the_statements_do_what_the_upgrade_does_and_leave_the_file_alone(desk: Desk, version: str | None) -> None:
    path = desk.folder / "connector.db"
    if version is not None:
        make(path, version)
    before = {each: each.read_bytes() for each in desk.folder.iterdir()}
    result = desk.run("storage", "upgrade", "--sql")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.count("BEGIN;") == result.stdout.count("COMMIT;") == 1
    document = desk.json("storage", "upgrade", "--sql")
    assert document["statements"] == result.stdout
    assert (document["from"], document["to"]) == (version, schema.HEAD)
    assert {each: each.read_bytes() for each in desk.folder.iterdir()} == before
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(result.stdout)
    with Ledger("sqlite:///upgraded.db").read():
        pass
    assert drawn(path) == drawn(desk.folder / "upgraded.db")
    assert "Nothing is to be done" in desk.run("storage", "upgrade", "--sql").stdout


@pytest.mark.parametrize("arguments", [(), ("--sql",)])
def test_a_newer_ledger_is_left_alone(desk: Desk, arguments: tuple[str, ...]) -> None:
    desk.run("storage", "upgrade")
    with closing(sqlite3.connect("connector.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    result = desk.run("storage", "upgrade", *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "made by a newer connector" in result.stderr
    worker = desk.run("worker")
    assert worker.exit_code == 1
    assert "made by a newer connector" in worker.stderr


@pytest.mark.parametrize("arguments", [(), ("--sql",)])
def test_a_file_that_is_no_ledger_is_said(desk: Desk, arguments: tuple[str, ...]) -> None:
    desk.write("connector.db", "no ledger at all, but long enough to be one" * 100)
    result = desk.run("storage", "upgrade", *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "connector.db" in result.stderr
    assert "Traceback" not in result.stderr
