"""Records on disk: JSON Lines, the header first, then one entry per line as it happened."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NoReturn

from sip_harness.model.entry import Entry, Header, Note, Record
from sip_harness.record.codec import decode, decode_header, encode, encode_header
from sip_harness.record.fields import BadEntry
from sip_harness.record.merge import merge

MAX_LINE = 16 * 1024 * 1024
"""Longest line in bytes that is written or read; a message of 65,535 bytes needs 400,000 at most."""
MAX_FILE = 1024 * 1024 * 1024
"""Most bytes that `read` takes unless told otherwise."""


class BadRecord(ValueError):
    """A file that is no record of this format, with its place and the reason."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(path, line, reason)
        self.path = path
        self.line = line
        """Line, counted from 1; 0 for the file as a whole."""
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}" if self.line else f"{self.path}: {self.reason}"


class Writer:
    """Streams a record to a file; for one thread. An existing file is replaced.

    Entries reach the operating system before `write` returns, so a crash of this process loses none, and one in the
    middle of a write only the line that was being written. Raises OSError as files do; after that the file is closed,
    so that no line follows half of another.
    """

    def __init__(self, path: Path, header: Header) -> None:
        line = encode_header(header)
        self._file = path.open("wb", buffering=0)
        self._put([line])

    def write(self, *entries: Entry) -> None:
        """Append entries, all in one write. Raises ValueError after `close` or for an entry longer than MAX_LINE; then
        none of them is written."""
        self._put([encode(entry) for entry in entries])

    def close(self) -> None:
        """Close the file; more than once is harmless."""
        self._file.close()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _put(self, lines: list[str]) -> None:
        size = 1 + max(map(len, lines), default=0)
        if size > MAX_LINE:
            raise ValueError(f"an entry of {size} bytes is longer than the {MAX_LINE} bytes that a line may have")
        data = "\n".join([*lines, ""]).encode("ascii")
        try:
            done = self._file.write(data)
            while done < len(data):  # a disk that is nearly full takes a part
                done += self._file.write(data[done:])
        except OSError:
            self._file.close()
            raise


def write(path: Path, record: Record) -> None:
    """Write a whole record. Raises OSError."""
    with Writer(path, record.header) as writer:
        for entry in record.entries:
            writer.write(entry)


def read(path: Path, max_bytes: int = MAX_FILE) -> Record:
    """Read a record back, its entries in time order.

    A last line that was cut off by a crash is left out, and a Note of kind `cut` at the end says so. Raises BadRecord
    for everything else that is wrong, a file that cannot be opened included.
    """
    try:
        with path.open("rb") as file:
            lines = _lines(path, file, max_bytes)
            header = _header(path, next(lines, (1, b""))[1])
            entries, cut = _entries(path, lines)
    except OSError as error:
        raise BadRecord(path, 0, f"cannot be read: {error.strerror or error}") from None
    ordered = merge([entries])
    if cut:
        last = ordered[-1].time if ordered else header.started
        ordered = (*ordered, Note(last, "", "cut", "the last line of the record is incomplete and was left out"))
    return Record(header, ordered)


def _entries(path: Path, lines: Iterator[tuple[int, bytes]]) -> tuple[list[Entry], bool]:
    """All entries, and whether the last line was cut off: only what has no line end can be."""
    entries: list[Entry] = []
    for number, line in lines:
        try:
            entries.append(decode(_object(line)))
        except BadEntry as error:
            if not line.endswith(b"\n"):
                return entries, True
            raise BadRecord(path, number, str(error)) from None
    return entries, False


def _lines(path: Path, file: BinaryIO, max_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Each line with its number."""
    total, number = 0, 0
    while line := file.readline(MAX_LINE + 1):
        total, number = total + len(line), number + 1
        if len(line) > MAX_LINE:
            raise BadRecord(path, number, f"line longer than {MAX_LINE} bytes")
        if total > max_bytes:
            raise BadRecord(path, number, f"record larger than {max_bytes} bytes")
        yield number, line


def _header(path: Path, line: bytes) -> Header:
    if not line:
        raise BadRecord(path, 0, "empty: a record begins with its header")
    try:
        return decode_header(_object(line))
    except BadEntry as error:
        raise BadRecord(path, 1, str(error)) from None


def _object(line: bytes) -> dict[str, object]:
    try:
        value = json.loads(line.decode(), parse_constant=_no_constant)
    except RecursionError:
        raise BadEntry("nested too deeply") from None
    except ValueError as error:  # also UnicodeDecodeError and numbers of thousands of digits
        raise BadEntry(f"no JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadEntry("each line must be an object")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
