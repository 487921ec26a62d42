"""Reading TOML and JSON files into plain data: tables, lists, texts, numbers."""

import json
import math
import re
import tomllib
from collections.abc import Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from connector.config.messages import KeyPath, Wrong, shown
from connector.model.errors import Fault


def read_document(path: Path, *, missing: str) -> tuple[Any, list[Fault]]:
    """What a file holds, or why it can't be read; `missing` says what to do if there is no such file."""
    # Faults are returned, not raised: what the parsers raise holds the whole text, with secrets that may be in it.
    source = str(path)
    readers = {".toml": _toml, ".json": _json}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        return None, [Fault("", "The name of this file doesn't end in .toml or .json.", source)]
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None, [Fault("", f"There is no such file. {missing}", source)]
    except OSError as error:
        return None, [Fault("", f"This can't be read ({error.strerror}).", source)]
    try:
        # Some editors begin a file with a byte order mark.
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return None, [Fault(f"line {line}", "This is not UTF-8 text; save the file as UTF-8.", source)]
    document, fault = reader(text)
    return document, [Fault(*fault, source)] if fault else []


def _toml(text: str) -> tuple[Any, tuple[str, str] | None]:
    try:
        return tomllib.loads(text), None
    except (ValueError, RecursionError) as error:
        problem = str(error)
    position = re.search(r"line (\d+), column (\d+)", problem)
    where = f"line {position[1]}, column {position[2]}" if position else "the end of the file"
    if "Cannot " in problem:
        return None, (where, "This key or table stands twice; keep one.")
    return None, (where, "This is not TOML; look before here for a missing quote, bracket or equals sign.")


def _json(text: str) -> tuple[Any, tuple[str, str] | None]:
    try:
        return json.loads(text), None
    except (ValueError, RecursionError) as error:
        where = (
            f"line {error.lineno}, column {error.colno}"
            if isinstance(error, json.JSONDecodeError)
            else "the whole file"
        )
    return None, (where, "This is not JSON; look before here for a missing quote, comma or bracket.")


def plain(value: Any) -> tuple[Any, list[Wrong]]:
    """The same data with dates as ISO text and mappings as dictionaries, and what in it is no number or no text."""
    wrong: list[Wrong] = []
    return _plain(value, (), wrong), wrong


def _plain(value: Any, path: KeyPath, wrong: list[Wrong]) -> Any:
    match value:
        case str():
            return _whole(value, path, wrong)
        case datetime() | date() | time():
            return value.isoformat()
        case Mapping():
            keys = [(_whole(str(key), path, wrong), item) for key, item in value.items()]
            return {key: _plain(item, (*path, key), wrong) for key, item in keys}
        case list() | tuple():
            return [_plain(item, (*path, position), wrong) for position, item in enumerate(value)]
        case float() if not math.isfinite(value):
            wrong.append(Wrong(path, f"Found {shown(value)}; give a finite number."))
    return value


def _whole(text: str, path: KeyPath, wrong: list[Wrong]) -> str:
    """The text, or where it has half a character, which no encoding can carry, one that can be shown."""
    try:
        text.encode()
    except UnicodeEncodeError:
        wrong.append(Wrong(path, "This holds half a character (a lone surrogate); cut texts between characters."))
        return text.encode(errors="replace").decode()
    return text
