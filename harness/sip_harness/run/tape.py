"""The record of a run while it grows: in memory for the verdict, on disk as it happens."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path

from sip_harness.model.entry import Entry, Header, Malformed, Message, Note, Record
from sip_harness.record.jsonl import Writer

MAX_STRAYS = 2000
"""Strays that stay in memory, and that the verdict and the reports see; further ones go to the file alone."""
MAX_STRAY_BYTES = 8 << 20
"""Bytes of strays that stay in memory."""
MAX_FILE_BYTES = 256 << 20
"""Bytes of strays that go to the file; further ones are only counted."""


@dataclass
class Tape:
    """Takes entries as they arise, keeps them in memory and streams them to disk."""

    header: Header | None = None
    path: Path | None = None
    entries: list[Entry] = field(default_factory=list)
    problem: str = field(default="", init=False)
    """Why the file is not complete: the disk is full, or the like. Memory still has all."""
    _writer: Writer | None = field(default=None, init=False)
    _waiting: list[Entry] = field(default_factory=list, init=False)
    _strays: int = field(default=0, init=False)
    _stray_bytes: int = field(default=0, init=False)
    _kept: int = field(default=0, init=False)
    _filed: int = field(default=0, init=False)

    def open(self, header: Header) -> None:
        """The header is known: from now on entries go to disk, those of one turn of the loop in one write."""
        self.header = header
        if self.path is not None:
            try:
                self._writer = Writer(self.path, header)
            except OSError as error:
                self.problem = str(error)
            self._write(self.entries)
            self._filed = self._kept

    def add(self, entry: Entry) -> None:
        """Take one entry of the run."""
        self.entries.append(entry)
        self._file(entry)

    def add_stray(self, entry: Message | Malformed) -> None:
        """Take what came from elsewhere, or is no SIP: bounded in memory, so that no flood fills it."""
        self._strays += 1
        self._stray_bytes += len(entry.data)
        if self._strays <= MAX_STRAYS and self._stray_bytes <= MAX_STRAY_BYTES:
            self._kept += 1
            self.entries.append(entry)
        if self._writer is not None and self._stray_bytes <= MAX_FILE_BYTES:
            self._filed += 1
            self._file(entry)

    def close(self) -> Record:
        """The whole record, in time order."""
        if self._strays > self._kept:
            self.add(self._left_out())
        if self._writer is not None:
            self._flush()
            self._writer.close()
            self._writer = None
        assert self.header is not None
        return Record(self.header, tuple(sorted(self.entries, key=lambda e: e.time)))

    def _file(self, entry: Entry) -> None:
        if self._writer is not None:
            if not self._waiting:
                asyncio.get_running_loop().call_soon(self._flush)
            self._waiting.append(entry)

    def _flush(self) -> None:
        """What a crash costs is what came since the last turn of the loop."""
        waiting, self._waiting = self._waiting, []
        self._write(waiting)

    def _write(self, entries: list[Entry]) -> None:
        if self._writer is None or not entries:
            return
        try:
            self._writer.write(*entries)
        except OSError as error:
            self.problem, self._writer = str(error), None

    def _left_out(self) -> Note:
        text = f"{self._strays} strays and datagrams that are no SIP came; only {self._kept} of them are shown"
        data = {"strays": str(self._strays), "shown": str(self._kept), "in the file": str(self._filed)}
        return Note(time.time_ns(), "", "strays", text, data)
