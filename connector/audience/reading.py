"""Reading recipients, one at a time: CSV, JSON Lines, or what a host hands over.

A file is read once, as a stream, and never held. What breaks it names the line.
"""

import codecs
import csv
import difflib
import gzip
import io
import json
import math
import os
import re
import sys
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from hashlib import blake2b
from itertools import chain
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NoReturn, Self, TextIO

from connector.model.errors import Fault, RecipientsError
from connector.model.recipient import Recipient

Row = tuple[str, str | None, str | None, str | None, str | None, tuple[str | None, ...]]
"""`to` (empty where the row has none), `customer_id`, `text`, `sender`, metadata as JSON, and the values asked for.

A missing value is None.
"""

USED = ("to", "customer_id", "text", "sender")
NOT_USED_YET = ("language", "time_zone", "identities")
IN_ANY_CASE = ("to", "customer_id")
"""Names that are known in capitals, too: taking another column for the text or the sender would be sent to people."""
METADATA_PREFIX = "metadata."
IDENTITIES = "{identities}"
"""Asks for the column `identities` among the parameters; no `${name}` can have this name."""
SEPARATORS = ",;\t"
SAYS_ITS_SEPARATOR = re.compile(r'"?sep=([^"\r\n])"?\s*', re.IGNORECASE)
"""A first line by which Excel is told how cells are separated; it is no row."""

WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How files of Excel and of LibreOffice begin, the newer ones and the older."""

STANDARD_INPUT = "-"
JSON_LINES_ENDINGS = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")

_metadata_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_canonical_json = json.JSONEncoder(sort_keys=True, default=str).encode

_NAMES_FOR_A_NUMBER = ("msisdn", "mobile", "phone", "cell", "tel", "handy", "recipient", "number", "gsm", "sms")
_DIGITS_OF_A_NUMBER = 7
_LONGEST_HEADER_LINES = 100


class RowSource(ABC):
    """Recipients that are read once, from the first to the last.

    `with` closes what it reads from; so does reading to the end.
    """

    columns: tuple[str, ...] | None = None
    """The columns by the names they are asked for; None where only the rows tell."""

    def __init__(self, name: str) -> None:
        self.name = name
        """The file, or what stands for one."""
        self._hash = blake2b(digest_size=16)
        self._not_seen: set[str] | None = None
        self._unused: set[str] = set()
        self._takes_identities = False
        self._begun = False
        self._ended = False

    def rows(self, names: Sequence[str]) -> Iterator[Row]:
        """Every row, with the values of these parameters in this order.

        Raises `RecipientsError` at the first row that can't be read, naming its line.
        """
        if self._begun:
            raise RuntimeError(f"{self.name} is read once; open it again to read it again")
        self._begun = True
        self._not_seen = set(names) - {IDENTITIES}
        self._takes_identities = IDENTITIES in names
        return self._read(tuple(names))

    def _read(self, names: tuple[str, ...]) -> Iterator[Row]:
        with self:
            yield from self._rows(names)
            self._ended = True

    @abstractmethod
    def _rows(self, names: tuple[str, ...]) -> Iterator[Row]: ...

    def missing(self, names: Iterable[str]) -> list[str]:
        """Which parameters there is no column for.

        Where only the rows tell: those asked for that no row had, once all rows are read.
        """
        if self.columns is not None:
            return [name for name in names if name != IDENTITIES and (name not in self.columns or _reserved(name))]
        if not self._ended or self._not_seen is None:
            return []
        return [name for name in names if name in self._not_seen]

    def nearest(self, name: str) -> str | None:
        """The parameter column whose name comes nearest."""
        return _nearest(name, [column for column in self.columns or () if not _reserved(column)])

    @property
    def unused(self) -> tuple[str, ...]:
        """Reserved columns that are there and that nothing uses yet; of JSON Lines, those seen so far."""
        used = ("identities",) if self._takes_identities else ()
        return tuple(name for name in NOT_USED_YET if name in self._unused and name not in used)

    def digest(self) -> str:
        """A digest of all that was read. Raises `RuntimeError` before the end of the rows."""
        if not self._ended:
            raise RuntimeError(f"{self.name} isn't read to its end")
        return self._hash.hexdigest()

    def digest_ahead(self) -> str | None:
        """The digest before the rows are read, where what is read can be read twice; else None."""
        return None

    def progress(self) -> tuple[int, float | None]:
        """How many lines are read, and what part of all that is; None: that can't be told."""
        return 0, None

    @abstractmethod
    def close(self) -> None:
        """Close what is read from."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _refuse(self, place: str, message: str) -> NoReturn:
        raise RecipientsError([Fault(place, message, self.name)])


def read_file(path: str | Path, *, encoding: str = "utf-8", mapping: Mapping[str, str] | None = None) -> RowSource:
    """Recipients from a file; `-` is standard input, and what is compressed by gzip is unpacked.

    CSV, its separator found by its header, or JSON Lines. `mapping` renames columns: `{"to": "Mobile"}`.

    Raises `RecipientsError` when it can't be opened or its header can't be used.
    """
    file = _File(str(path), encoding, dict(mapping or {}))
    try:
        head = file.head()
        if head and head[-1].lstrip().startswith("["):
            file.refuse(
                "",
                "it is one JSON array; write each recipient as an object on a line of its own (JSON Lines), as "
                "`jq -c '.[]' people.json > people.jsonl` does",
            )
        if file.name.lower().endswith(JSON_LINES_ENDINGS) or (head and head[-1].lstrip().startswith("{")):
            return _JsonLines(file, head)
        return _Csv(file, head)
    except BaseException:
        file.close()
        raise


def read_recipients(recipients: Iterable[Recipient | Mapping[str, Any]]) -> RowSource:
    """Recipients from a host: `Recipient`s, or mappings with the same names.

    Of a mapping, what isn't a reserved name is a parameter; parameters may also stand under `parameters`.
    """
    return _Given(recipients)


def _reserved(column: str) -> bool:
    return column in USED or column in NOT_USED_YET or column.startswith(METADATA_PREFIX)


def _in_another_case(name: str, known: Iterable[str]) -> str | None:
    """The one way in which a name is written there, where it isn't written as it should be."""
    alike = [each for each in known if each.casefold() == name]
    return alike[0] if len(alike) == 1 and alike[0] != name else None


def _by_known_names(record: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in IN_ANY_CASE:
        if name not in record and (written_so := _in_another_case(name, record)):
            record = {name if key == written_so else key: value for key, value in record.items()}
    return record


def _nearest(name: str, known: Sequence[str]) -> str | None:
    by_folded = {column.casefold(): column for column in known}
    found = difflib.get_close_matches(name.casefold(), list(by_folded), n=1, cutoff=0.5)
    return by_folded[found[0]] if found else None


def _likely_numbers(columns: Sequence[str]) -> str | None:
    """The column that most likely holds the numbers."""
    for column in columns:
        if column.casefold() == "to":
            return column
    for word in _NAMES_FOR_A_NUMBER:
        for column in columns:
            if word in column.casefold():
                return column
    return _nearest("to", columns) or (columns[0] if columns else None)


class _Hashed(io.RawIOBase):
    """Bytes on their way to the decoder, hashed as they pass."""

    def __init__(self, stream: BinaryIO, update: Callable[[memoryview], None]) -> None:
        self._stream = stream
        self._update = update

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        # One read at a time: what a damaged file holds before the damage still gets out.
        count: int = self._stream.readinto1(buffer)  # type: ignore[attr-defined]
        self._update(memoryview(buffer)[:count])
        return count


class _File:
    """A file's lines, decoded; errors of reading and decoding name the line."""

    def __init__(self, path: str, encoding: str, mapping: dict[str, str]) -> None:
        self.name = "standard input" if path == STANDARD_INPUT else path
        self.encoding = encoding
        self.mapping = mapping
        self.hash = blake2b(digest_size=16)
        self._opened: list[Any] = []
        try:
            codec = codecs.lookup(encoding)
            with io.TextIOWrapper(io.BytesIO(), encoding=encoding):
                pass
        except (LookupError, ValueError):
            self.refuse("", f"there is no encoding {encoding!r}; usual ones are utf-8, cp1252 and utf-16")
        try:
            self._text = self._open(path, "utf-8-sig" if codec.name == "utf-8" else encoding)
        except OSError as error:
            self.close()
            self.refuse("", f"it can't be read: {error.strerror or error}")
        # What the same bytes mean depends on these two.
        self._meaning = json.dumps([codec.name, sorted(mapping.items())]).encode()
        self.hash.update(self._meaning)
        self.lines = self._lines()
        self._lines_read = 0

    def _open(self, path: str, encoding: str) -> TextIO:
        stream: Any
        if path == STANDARD_INPUT:
            stream = sys.stdin.buffer
            if not hasattr(stream, "peek"):
                stream = io.BufferedReader(stream)
        else:
            stream = Path(path).open("rb")  # noqa: SIM115
            self._opened.append(stream)
        if stream.peek(4)[:4] in WORKBOOKS:
            self.close()
            self.refuse(
                "",
                "it is no text but a workbook, as Excel and LibreOffice write it; open it, save the sheet as CSV (in "
                "Excel: File, Save As, CSV UTF-8), and name that file",
            )
        if stream.peek(2)[:2] == b"\x1f\x8b":
            stream = gzip.GzipFile(fileobj=stream, mode="rb")
            self._opened.append(stream)
        hashed = io.BufferedReader(_Hashed(stream, self.hash.update), 1 << 18)
        return io.TextIOWrapper(hashed, encoding=encoding, newline="")

    def close(self) -> None:
        for stream in reversed(self._opened):
            stream.close()
        self._opened.clear()

    def _lines(self) -> Iterator[str]:
        number = 0
        try:
            for number, line in enumerate(self._text, 1):
                if "\0" in line:
                    self.refuse(
                        f"line {number}",
                        "it holds a NUL character, so this is not text in the encoding "
                        f"{self.encoding}; name the right one with --encoding, or take the character out",
                    )
                self._lines_read = number
                yield line
        except UnicodeDecodeError as error:
            # Lines are decoded a block ahead of those that were given out.
            number += 1 + error.object.count(b"\n", 0, error.start)
            if error.object[:2] in (b"\xff\xfe", b"\xfe\xff"):
                remedy = "it looks like UTF-16: --encoding utf-16"
            else:
                remedy = "name the file's own encoding, such as --encoding cp1252, or save it as UTF-8"
            self.refuse(
                f"line {number}",
                f"byte 0x{error.object[error.start]:02x} is not valid in {self.encoding}; {remedy}",
            )
        except UnicodeError:
            self.refuse(f"line {number + 1}", f"it is not text in {self.encoding}; name the right --encoding")
        except (EOFError, gzip.BadGzipFile, zlib.error):
            self.refuse(f"line {number + 1}", "the compressed file is damaged or cut off here; make it again")
        except OSError as error:
            self.refuse(f"line {number + 1}", f"it can't be read any further: {error.strerror or error}")

    def progress(self) -> tuple[int, float | None]:
        """How many lines are read, and what part of the file that is."""
        try:
            stream = self._opened[0]
            size = os.fstat(stream.fileno()).st_size
            return self._lines_read, stream.tell() / size if size else None
        except (IndexError, OSError, ValueError):
            # Standard input, or what was closed at its end.
            return self._lines_read, 1.0 if self._lines_read and self.name != "standard input" else None

    def digest_ahead(self) -> str | None:
        """The digest of the whole file, read once more; None where it can't be (standard input, a pipe, damage)."""
        if self.name == "standard input" or not Path(self.name).is_file():
            return None
        digest = blake2b(self._meaning, digest_size=16)
        try:
            with Path(self.name).open("rb") as stream:
                packed = stream.peek(2)[:2] == b"\x1f\x8b"
                unpacked: Any = gzip.GzipFile(fileobj=stream, mode="rb") if packed else stream
                while chunk := unpacked.read(1 << 18):
                    digest.update(chunk)
        except (OSError, EOFError, zlib.error):
            return None
        return digest.hexdigest()

    def head(self) -> list[str]:
        """The lines up to and with the first that isn't blank; empty where there is none."""
        head: list[str] = []
        for line in self.lines:
            head.append(line.removeprefix("\ufeff") if not head else line)
            if head[-1].strip():
                return head
        return []

    def refuse(self, place: str, message: str) -> NoReturn:
        raise RecipientsError([Fault(place, message, self.name)])


class _Csv(RowSource):
    def __init__(self, file: _File, head: list[str]) -> None:
        super().__init__(file.name)
        self._file = file
        self._hash = file.hash
        said = SAYS_ITS_SEPARATOR.fullmatch(head[-1]) if head else None
        if said:
            # In its place an empty line, so that those after it keep their numbers.
            header = file.head()
            head = [*head[:-1], "\n", *header] if header else []
        if not head:
            self._refuse("", "it is empty; its first line must name the columns, one of them `to`")
        while sum(line.count('"') for line in head) % 2 and len(head) < _LONGEST_HEADER_LINES:
            line = next(file.lines, None)
            if line is None:
                break
            head.append(line)
        separator = said[1] if said else self._separator(head)
        self._reader = csv.reader(chain(head, file.lines), delimiter=separator, strict=True)
        try:
            written = _first_row(self._reader)
        except csv.Error as error:
            self._refuse("line 1", f"the header can't be read: {_torn(error)}")
        self._width = len(written)
        self._places = self._name(written)
        self.columns = tuple(self._places)
        self._unused = {column for column in NOT_USED_YET if column in self._places}

    def _separator(self, head: list[str]) -> str:
        """The separator that finds the `to` column, and of several the one that finds most columns."""
        to = self._file.mapping.get("to")
        best, separator = (False, 0), SEPARATORS[0]
        for tried in SEPARATORS:
            try:
                cells = _first_row(csv.reader(head, delimiter=tried, strict=True))
            except csv.Error:
                cells = head[0].split(tried)
            names = [cell.strip() for cell in cells]
            found = (to in names if to else "to" in map(str.casefold, names), len(cells))
            if found > best:
                best, separator = found, tried
        return separator

    def _name(self, written: list[str]) -> dict[str, int]:
        """Columns by name, after renaming. Raises all that is wrong with the header at once."""
        names = [cell.strip() for cell in written]
        line = f"line {self._reader.line_num}"
        if any(len(re.findall(r"\d", name)) >= _DIGITS_OF_A_NUMBER for name in names):
            self._refuse(
                line,
                "a number stands where the header should; "
                "put a line before it that names the columns, one of them `to`",
            )
        faults = []
        for name in dict.fromkeys(name for name in names if name and names.count(name) > 1):
            faults.append(f"the column {name!r} stands there {names.count(name)} times; rename or remove the others")
        places = {name: place for place, name in enumerate(names) if name}
        renamed = dict(places)
        for name, column in self._file.mapping.items():
            if column not in places:
                near = _nearest(column, list(places))
                hint = f"; the nearest is {near!r}" if near else ""
                faults.append(f"there is no column {column!r}, which --map {name}={column} names{hint}")
            else:
                if renamed.get(column) == places[column]:
                    del renamed[column]
                renamed[name] = places[column]
        for name in IN_ANY_CASE:
            written_so = _in_another_case(name, renamed)
            if written_so and name not in self._file.mapping:
                renamed[name] = renamed.pop(written_so)
        if "to" not in renamed and "to" not in self._file.mapping and "identities" not in renamed:
            likely = _likely_numbers(list(places))
            hint = f"; if {likely!r} holds the numbers: --map {_quoted(f'to={likely}')}" if likely else ""
            faults.append(f"there is no column `to`{hint}")
        if faults:
            raise RecipientsError([Fault(line, fault, self.name) for fault in faults])
        return dict(sorted(renamed.items(), key=itemgetter(1)))

    def _rows(self, names: tuple[str, ...]) -> Iterator[Row]:
        places, width, reader = self._places, self._width, self._reader
        # Every row gets one empty cell more, which stands for all columns that aren't there.
        absent = width
        fixed = itemgetter(*(places.get(name, absent) for name in USED))
        values = _picker([self._place_of(name, absent) for name in names])
        metadata = {
            name.removeprefix(METADATA_PREFIX): place
            for name, place in places.items()
            if name.startswith(METADATA_PREFIX)
        }
        found: str | None = None
        line = reader.line_num
        try:
            for row in reader:
                if len(row) != width:
                    if any(map(str.strip, row)):
                        self._refuse(
                            f"line {line + 1}",
                            f"it has {len(row)} cells where the header has {width}; "
                            "a value that contains the separator, or a line break, must stand in quotes",
                        )
                    line = reader.line_num
                    continue
                row.append("")
                to, customer_id, text, sender = fixed(row)
                if not to.strip() and not any(map(str.strip, row)):
                    # Spreadsheets write the empty rows below a list, too.
                    line = reader.line_num
                    continue
                picked = values(row)
                if "" in picked:
                    picked = tuple([value or None for value in picked])
                if metadata:
                    found = _json({name: row[place] for name, place in metadata.items() if row[place]})
                yield to, customer_id or None, text or None, sender or None, found, picked
                line = reader.line_num
        except csv.Error as error:
            self._refuse(f"line {line + 1}", f"{_torn(error)} (noticed on line {reader.line_num})")

    def _place_of(self, name: str, absent: int) -> int:
        """Where the value of a parameter stands in a row."""
        if name == IDENTITIES:
            return self._places.get("identities", absent)
        return absent if _reserved(name) else self._places.get(name, absent)

    def digest_ahead(self) -> str | None:
        return self._file.digest_ahead()

    def progress(self) -> tuple[int, float | None]:
        return self._file.progress()

    def close(self) -> None:
        self._file.close()


def _first_row(rows: Iterable[list[str]]) -> list[str]:
    return next((row for row in rows if any(cell.strip() for cell in row)), [])


def _quoted(argument: str) -> str:
    return argument if re.fullmatch(r"[\w=.-]+", argument) else f'"{argument}"'


def _torn(error: csv.Error) -> str:
    if "field larger" in str(error):
        return (
            "a quoted value opens here and goes on for too long; close its quote, or double a quote that belongs in it"
        )
    if "unexpected end" in str(error):
        return "a quoted value opens here and is never closed; close its quote, or double a quote that belongs in it"
    return "a quote stands where none may; a quote inside a quoted value must be doubled"


def _picker(places: list[int]) -> Callable[[list[str]], tuple[str | None, ...]]:
    if not places:
        return lambda row: ()
    if len(places) == 1:
        (place,) = places
        return lambda row: (row[place],)
    return itemgetter(*places)


class _NotText(Exception):
    """A value that can't be put in a text, or kept."""


def _json(metadata: Mapping[str, Any]) -> str | None:
    """Metadata as it is kept. Raises `_NotText`."""
    try:
        return _metadata_json(metadata) if metadata else None
    except (TypeError, ValueError) as error:
        for name, value in metadata.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise _no_value(f"metadata.{name}", value) from None
        raise _NotText(f"its metadata can't be written as JSON: {error}") from None


def _no_value(name: str, value: float | Decimal) -> _NotText:
    """What a table of Python's has for a value that isn't there."""
    return _NotText(
        f"{name!r} is {str(value).lower()}, which is no number; where a value is missing give None, or leave it out"
    )


def _no_parameter(key: str) -> bool:
    """Whether a record's key is no parameter's name: beside the reserved ones, those of the objects in it."""
    return key in ("parameters", "metadata") or _reserved(key)


class _Records(RowSource):
    """Rows that each name their own columns."""

    def _how_to_rename(self, column: str) -> str:
        return f"--map {_quoted(f'to={column}')}"

    def _row(self, record: Mapping[str, Any], names: tuple[str, ...]) -> Row:
        """A record's row. Raises `_NotText`."""
        if "to" not in record and not record.get("identities"):
            likely = _likely_numbers([key for key in record if not _reserved(key)])
            hint = f"; if {likely!r} holds the number: {self._how_to_rename(likely)}" if likely else ""
            raise _NotText(f"it has no `to`{hint}")
        parameters = record.get("parameters")
        if parameters is None:
            parameters = {}
        elif not isinstance(parameters, Mapping):
            raise _NotText("`parameters` must be an object")
        if self._not_seen:
            self._not_seen -= parameters.keys()
            self._not_seen -= {name for name in self._not_seen if name in record and not _no_parameter(name)}
        for name in NOT_USED_YET:
            if record.get(name):
                self._unused.add(name)
        values = []
        for name in names:
            if name == IDENTITIES:
                values.append(_identities(record.get("identities")))
            elif name in parameters:
                values.append(_text(name, parameters[name]))
            else:
                values.append(None if _no_parameter(name) else _text(name, record.get(name)))
        return (
            _text("to", record.get("to")) or "",
            _text("customer_id", record.get("customer_id")),
            _text("text", record.get("text")),
            _text("sender", record.get("sender")),
            _json(self._metadata(record)),
            tuple(values),
        )

    def _metadata(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        metadata = record.get("metadata")
        if metadata is not None and not isinstance(metadata, Mapping):
            raise _NotText("`metadata` must be an object")
        flat = {
            name.removeprefix(METADATA_PREFIX): value
            for name, value in record.items()
            if name.startswith(METADATA_PREFIX) and value not in (None, "")
        }
        return {**(metadata or {}), **flat}


def _text(name: str, value: Any) -> str | None:
    if isinstance(value, str):
        if "\0" in value:
            raise _NotText(f"{name!r} holds a NUL character")
        return value or None
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | _Number):
        return str(value)
    if isinstance(value, float | Decimal):
        if not (value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)):
            raise _no_value(name, value)
        return str(value)
    raise _NotText(
        f"{name!r} is no text or number but {_kind(value)}; write each of its values under a name of its own"
    )


def _identities(value: Any) -> str | None:
    """Identities as one text: as it is written, or a list as JSON."""
    if isinstance(value, str) or value is None:
        return _text("identities", value)
    try:
        return _metadata_json(value) if value else None
    except (TypeError, ValueError) as error:
        raise _NotText(f"its identities can't be written as JSON: {error}") from None


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return "an object"
    return "a list" if isinstance(value, list | tuple) else f"a {type(value).__name__}"


class _Number(float):
    """A number of a JSON file that comes out as it is written: 1.10 stays 1.10."""

    written: str

    def __new__(cls, written: str) -> Self:
        number = super().__new__(cls, written)
        number.written = written
        return number

    def __str__(self) -> str:
        return self.written


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_read_json = json.JSONDecoder(parse_float=_Number, parse_constant=_no_number).decode


class _JsonLines(_Records):
    def __init__(self, file: _File, head: list[str]) -> None:
        super().__init__(file.name)
        self._file = file
        self._hash = file.hash
        self._lines = chain(head, file.lines)

    def digest_ahead(self) -> str | None:
        return self._file.digest_ahead()

    def progress(self) -> tuple[int, float | None]:
        return self._file.progress()

    def _rows(self, names: tuple[str, ...]) -> Iterator[Row]:
        renamed = self._file.mapping
        for number, line in enumerate(self._lines, 1):
            if line.isspace():
                continue
            try:
                record = _read_json(line)
            except (ValueError, RecursionError) as error:
                at = f" at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else ""
                self._refuse(f"line {number}", f"it is not JSON{at}; every line must hold one whole object")
            if not isinstance(record, dict):
                self._refuse(f"line {number}", f"it holds {_kind(record)}; every line must hold one object")
            if renamed:
                taken = {name: record.pop(column) for name, column in renamed.items() if column in record}
                record.update(taken)
            try:
                row = self._row(_by_known_names(record), names)
                if "\\u" in line:
                    _check_characters(row)
            except _NotText as error:
                self._refuse(f"line {number}", str(error))
            yield row

    def close(self) -> None:
        self._file.close()


def _check_characters(row: Row) -> None:
    """Raise `_NotText` for half a surrogate pair, which no encoding can carry."""
    *fixed, values = row
    try:
        "".join(text for text in (*fixed, *values) if text).encode()
    except UnicodeEncodeError:
        raise _NotText("it holds half a character (a lone surrogate); cut texts between characters") from None


class _Given(_Records):
    def __init__(self, recipients: Iterable[Recipient | Mapping[str, Any]]) -> None:
        super().__init__("recipients")
        self._recipients = recipients

    def _rows(self, names: tuple[str, ...]) -> Iterator[Row]:
        update = self._hash.update
        for number, given in enumerate(self._recipients, 1):
            place = f"recipient {number}"
            if isinstance(given, Recipient):
                record: Mapping[str, Any] = {name: getattr(given, name) for name in Recipient.__slots__}
            elif isinstance(given, Mapping):
                record = _by_known_names(given)
            else:
                self._refuse(place, f"it is {_kind(given)}; give a Recipient or a mapping")
            try:
                row = self._row(record, names)
                _check_characters(row)
                update(_canonical(record))
            except _NotText as error:
                self._refuse(place, str(error))
            yield row

    def _how_to_rename(self, column: str) -> str:
        return "hand it over as `to`"

    def close(self) -> None:
        """Nothing is open: the iterator is the host's."""


def _canonical(record: Mapping[str, Any]) -> bytes:
    """The same bytes for the same recipient, however it was given. Raises `_NotText`."""
    top = {name: value for name, value in record.items() if name != "parameters"}
    parameters = {name: top.pop(name) for name in list(top) if not _no_parameter(name)}
    parameters.update(record.get("parameters") or {})
    said = [{name: value for name, value in part.items() if value not in (None, "", {})} for part in (top, parameters)]
    try:
        return _canonical_json(said).encode()
    except (TypeError, ValueError) as error:
        raise _NotText(f"it can't be read: {error}") from None
