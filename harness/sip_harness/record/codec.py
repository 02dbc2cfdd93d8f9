"""Headers and entries as JSON text and back.

Every line is one object with a `type`. Bytes stand under `text` where they are UTF-8, else under `base64`. All output
is ASCII: a record can be shown on a terminal without its hostile bytes taking effect.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache, lru_cache
from json.encoder import encode_basestring_ascii as quote
from typing import Any

from sip_harness.model.entry import Address, Entry, Exit, Header, Lag, Log, Malformed, Media, Message, Note
from sip_harness.record.fields import BadEntry, Fields, blob_of, shown

FORMAT = 1
"""Number of the format that is written; the only one that is read."""


def encode_header(header: Header) -> str:
    """The first line of a record, without its line end. Raises ValueError for a time that JSON cannot hold (NaN)."""
    return _dump({"type": "header", "format": FORMAT, **_members(header)})


def decode_header(line: Mapping[str, object]) -> Header:
    """The header back from its object. Raises BadEntry with what is wrong."""
    members = Fields(line)
    if (kind := members.string("type")) != "header":
        raise BadEntry(f"a record begins with its header, not with {shown(kind)}")
    if (number := members.integer("format")) != FORMAT:
        raise BadEntry(f"format {number} is not known here (this version reads format {FORMAT})")
    return members.header()


def encode(entry: Entry) -> str:
    """One entry as one line, without its line end."""
    if type(entry) is Message:
        key, value = blob_of(entry.data)
        who = _who(entry.agent, entry.direction, entry.local, entry.remote, entry.origin, entry.transport)
        return f'{{"type":"message","time":{entry.time},"slack":{entry.slack},{who},"{key}":{quote(value)}}}'
    return _dump({"type": type(entry).__name__.lower(), **_members(entry)})


def decode(line: Mapping[str, object]) -> Entry:
    """One entry back from its object. Raises BadEntry with what is wrong."""
    members = Fields(line)
    kind = members.string("type")
    read = _READERS.get(kind)
    if read is None:
        raise BadEntry(f"unknown entry type {shown(kind)} (known: {', '.join(_READERS)})")
    entry = read(members)
    members.done()
    return entry


def _dump(value: object) -> str:
    return _ENCODER.encode(value)


def _plain(value: object) -> dict[Any, Any]:
    """What JSON does not know by itself: mappings of any kind, and the dataclasses inside a header."""
    return dict(value) if isinstance(value, Mapping) else _members(value)


_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=_plain)


@cache
def _names(kind: type[object]) -> tuple[str, ...]:
    if not is_dataclass(kind):
        raise TypeError(f"a record holds no {kind.__name__}")
    return tuple(field.name for field in fields(kind))


def _members(value: object) -> dict[str, Any]:
    members = {name: getattr(value, name) for name in _names(type(value))}  # type: ignore[arg-type]  # a type is hashable
    if isinstance(value, Malformed):
        key, text = blob_of(members.pop("data"))
        members[key] = text
    return members


@lru_cache(maxsize=4096)
def _who(agent: str, direction: str, local: Address, remote: Address, origin: str, transport: str) -> str:
    """The part of a message's line that is the same for thousands of messages; the cache halves the time of a line."""
    return (
        f'"agent":{quote(agent)},"direction":{quote(direction)},"local":{_dump(local)},"remote":{_dump(remote)},'
        f'"origin":{quote(origin)},"transport":{quote(transport)}'
    )


def _message(f: Fields) -> Message:
    return Message(
        f.time(), f.natural("slack"), f.string("agent"), f.direction(), f.address("local"), f.address("remote"),
        f.blob(), f.origin(), f.string("transport"),
    )  # fmt: skip


def _note(f: Fields) -> Note:
    return Note(f.time(), f.string("agent"), f.string("kind"), f.string("text"), f.strings_by_name("data"))


def _lag(f: Fields) -> Lag:
    return Lag(f.time(), f.string("agent"), f.natural("lag"))


def _exit(f: Fields) -> Exit:
    return Exit(f.time(), f.string("agent"), f.integer("status"), f.strings("stderr"))


def _log(f: Fields) -> Log:
    return Log(f.time(), f.string("text"))


def _malformed(f: Fields) -> Malformed:
    return Malformed(
        f.time(), f.string("agent"), f.address("local"), f.address("remote"), f.blob(), f.string("why"), f.direction()
    )


def _media(f: Fields) -> Media:
    return Media(
        f.time(), f.string("agent"), f.direction(), f.address("local"), f.address("remote"), f.string("call_id"),
        f.string("local_tag"), f.string("remote_tag"), f.natural("ssrc"), f.naturals("payload_types"),
        f.natural("packets"), f.natural("lost"), f.natural("first"), f.natural("last"), f.level(), f.flag("ended"),
    )  # fmt: skip


_READERS: dict[str, Callable[[Fields], Entry]] = {
    "message": _message, "note": _note, "lag": _lag, "exit": _exit, "log": _log, "malformed": _malformed,
    "media": _media,
}  # fmt: skip
