"""Changing a TOML file and leaving the rest of it as it is: its comments, its order, and the old file until the new."""

import contextlib
import difflib
import os
import secrets
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Comment, InlineTable, Table, Whitespace

from connector.model.errors import ConnectorError, InputError

Change = tuple[tuple[str, ...], Any]
"""Where something changes, and the new value; None: it goes."""

HEADING = "# Settings of campaign-connector. `connector check` tries them, `connector schema` describes them.\n\n"


def changes(old: Mapping[str, Any], new: Mapping[str, Any], at: tuple[str, ...] = ()) -> Iterator[Change]:
    """What makes a document another one, setting by setting."""
    for key in old:
        if key not in new:
            yield (*at, key), None
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, dict):
            yield from changes(before if isinstance(before, dict) else {}, value, (*at, key))
        elif value != before:
            yield (*at, key), value


def edited(text: str, made: list[Change], *, source: str) -> str:
    """A TOML text with changes made, and everything else as it was.

    Raises `InputError` where that isn't possible.
    """
    if not text.strip():
        text = HEADING
    wanted = tomllib.loads(text)
    for path, value in made:
        _put(wanted, path, value)
    for way in (_with_new_tables_at_the_end, _in_place):
        # How the tables of a file lie may be beyond the library: better no change than a wrong one.
        with contextlib.suppress(TOMLKitError, ValueError, LookupError, TypeError, AttributeError):
            result = way(text, made)
            if tomllib.loads(result) == wanted:
                return result
    lines = "\n".join(f"  {'.'.join(path)} = {'(taken away)' if value is None else value}" for path, value in made)
    raise InputError(f"{source} is laid out in a way that can't be changed here. Change it by hand:\n{lines}")


def _put(document: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    table = document
    for key in path[:-1]:
        table = table.setdefault(key, {})
    if value is None:
        table.pop(path[-1], None)
    else:
        table[path[-1]] = value


def _with_new_tables_at_the_end(text: str, made: list[Change]) -> str:
    document, added = tomlkit.parse(text), tomlkit.document()
    for path, value in made:
        _edit(added if _needs_a_table(document, path) else document, path, value)
    blocks = [tomlkit.dumps(document).rstrip("\n"), tomlkit.dumps(added).strip("\n")]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _needs_a_table(document: Any, path: tuple[str, ...]) -> bool:
    """Whether a setting is in a table that isn't there, and could stand anywhere in the file."""
    table = document
    for key in path[:-1]:
        if key not in table:
            return not isinstance(table, InlineTable)
        table = table[key]
    return False


def _in_place(text: str, made: list[Change]) -> str:
    document = tomlkit.parse(text)
    for path, value in made:
        _edit(document, path, value)
    return tomlkit.dumps(document)


def _edit(document: Any, path: tuple[str, ...], value: Any) -> None:
    table = document
    for place, key in enumerate(path[:-1]):
        if key not in table:
            # A table that only holds tables has no header of its own.
            own = tomlkit.table(is_super_table=place < len(path) - 2)
            table[key] = tomlkit.inline_table() if isinstance(table, InlineTable) else own
        table = table[key]
    if value is None:
        table.remove(path[-1])
    elif path[-1] in table or not isinstance(table, Table):
        table[path[-1]] = value
    else:
        # What stands after the last setting of a table is mostly about the next table.
        after = []
        while table.value.body and isinstance(table.value.body[-1][1], Comment | Whitespace):
            after.append(table.value.body.pop())
        table.append(path[-1], value)
        table.value.body.extend(reversed(after))


def difference(old: str, new: str) -> list[str]:
    """The lines that change, with some around them; of a new file all of it."""
    if not old.strip():
        return [f"+ {line}".rstrip() for line in new.splitlines()]
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=2)
    return ["..." if line.startswith("@@") else line for line in list(lines)[2:]]


def save(path: Path, new: str, *, instead_of: str | None) -> None:
    """Put a new file in the place of the old one, at once: whoever reads it gets the one or the other.

    `instead_of` is the text that was read before, None where there was no file. Raises `ConnectorError` when that
    is not what stands there any more, or it can't be written.
    """
    # A link stays one: what it leads to is changed.
    path = path.resolve()
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        if read(path) != instead_of:
            raise ConnectorError(f"{path} was changed by somebody else meanwhile, so nothing was saved. Start again.")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with os.fdopen(descriptor, "wb") as file:
            if instead_of is not None:
                beside.chmod(path.stat().st_mode & 0o7777)
            file.write(new.encode())
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise ConnectorError(f"{path} can't be written ({error.strerror}); nothing was saved.") from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def _sync_folder(folder: Path) -> None:
    # Not every system lets a folder be opened; there it is written when the system likes.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read(path: Path) -> str | None:
    """The text of a file, as it will be compared; None: there is none."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return None
