"""The sink: lines of JSON, on the disk before an event counts as taken."""

import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, ClassVar

from pydantic_core import to_json

from connector.extension import CheckResult, Sink, SinkSettings
from connector.extension.neutral import told
from connector.http import Http
from connector.model.errors import NotTaken
from connector.model.event import Event
from connector_jsonl.settings import JsonLinesSettings

OUTPUT = "-"
STEP = 65_536


class JsonLines(Sink):
    """Appends each event to a file, as one line of JSON; a file that has grown long is put aside.

    What was written when the disk was full, or when a process died in the middle of a line, is taken back before the
    next one.
    """

    name = "jsonl"
    title = "JSON Lines"
    Settings: ClassVar[type[SinkSettings]] = JsonLinesSettings
    guidance = "You need a folder that the connector may write into, and something that picks up the files."

    def __init__(self, settings: JsonLinesSettings, http: Http) -> None:
        self._settings = settings
        self._path = Path(settings.path)
        self._file: BinaryIO | None = None

    def deliver(self, events: Sequence[Event]) -> None:
        lines = b"".join(to_json(told(event, self._settings.properties)) + b"\n" for event in events)
        try:
            if self._settings.path == OUTPUT:
                sys.stdout.buffer.write(lines)
                sys.stdout.flush()
                return
            file = self._opened()
            self._append(file, lines)
            is_there = self._is_there(file)
            length = file.tell()
        except OSError as error:
            self.close()
            raise NotTaken(f"{self._settings.path} can't be written ({error.strerror}).") from error
        if not is_there:
            self.close()
            # Whoever took it may have read it before these lines were in it.
            raise NotTaken(f"{self._settings.path} was taken away while it was written.")
        if length >= self._settings.max_megabytes * 1_000_000:
            self._put_aside()

    def _opened(self) -> BinaryIO:
        """The file at the path: not one that was moved or removed meanwhile, as programs that rotate logs do."""
        if self._file is not None and not self._is_there(self._file):
            self.close()
        if self._file is None:
            # Without a buffer, which would keep what can't be written, and write it later.
            self._file = self._path.open("ab", buffering=0)
            self._take_back_half_a_line(self._file)
        return self._file

    def _is_there(self, file: BinaryIO) -> bool:
        try:
            return os.path.samestat(os.fstat(file.fileno()), self._path.stat())
        except FileNotFoundError:
            return False

    def _append(self, file: BinaryIO, lines: bytes) -> None:
        """Write all of these lines onto the disk, or none of them."""
        begun = file.seek(0, os.SEEK_END)
        left = memoryview(lines)
        try:
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):
                file.truncate(begun)
            raise

    def _take_back_half_a_line(self, file: BinaryIO) -> None:
        with self._path.open("rb") as written:
            end = written.seek(0, os.SEEK_END)
            position = end
            while position > 0:
                start = max(0, position - STEP)
                written.seek(start)
                found = written.read(position - start).rfind(b"\n")
                if found >= 0:
                    position = start + found + 1
                    break
                position = start
        if position != end:
            file.truncate(position)
            file.seek(0, os.SEEK_END)

    def _put_aside(self) -> None:
        self.close()
        at = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        # What is in it is taken; where the folder lets no file be renamed it grows on.
        with suppress(OSError):
            self._path.rename(self._path.with_name(f"{self._path.stem}-{at}{self._path.suffix}"))

    def check(self) -> list[CheckResult]:
        """Look whether the file may be written."""
        if self._settings.path == OUTPUT:
            return [CheckResult("file", True, "Events go to standard output.")]
        target = self._path if self._path.exists() else self._path.parent
        if self._path.is_dir() or not os.access(target, os.W_OK):
            sentence = f"{self._path} can't be written: check the folder and its permissions."
        elif shutil.disk_usage(target).free == 0:
            sentence = f"{self._path} can't be written: its disk is full."
        else:
            return [CheckResult("file", True, f"{self._path} may be written.")]
        return [CheckResult("file", False, sentence)]

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                file.close()
