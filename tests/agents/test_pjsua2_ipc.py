"""The lines between runner and worker."""

from __future__ import annotations

import dataclasses
import json
import random

import pytest

from sip_harness.agents.base import Assignment
from sip_harness.agents.pjsua2 import ipc
from sip_harness.model import scenario, script, steps
from sip_harness.model.entry import Exit, Lag, Log, Malformed, Message, Note
from sip_harness.model.pattern import Event, RequestPattern, ResponsePattern, Trigger
from sip_harness.model.place import Place
from sip_harness.model.scenario import Call
from sip_harness.model.script import Script
from sip_harness.model.steps import After, HangUp, Send, Silence, Wait
from sip_harness.model.system import User

EVENT = Event("mobile", "sends", ResponsePattern(frozenset({180, 183}), text="18x"), Place("a.yaml", 3, 5))
ALL_BYTES = bytes(range(256))
SEND = Send(
    486,
    "Busy – ünï",
    (("X-A", "1"), ("X-A", "")),
    frozenset({"allow", "contact"}),
    "body\r\n",
    "text/plain",
    Place("f", 1, 2),
)
SCRIPT = Script(((SEND, Wait(0.25), After(EVENT), HangUp()), (Silence(Place("f", 9, 9)),)))

VALUES = [
    ipc.Lease(
        Assignment("desk", "device", User("u", "d", 'pä"ss'), "c", ("127.0.0.1", 5060), "t", SCRIPT, True, 77, 0.5)
    ),
    ipc.Lease(Assignment("alice", "caller", User("u", "d"), "c", ("127.0.0.1", 5060), "t")),
    ipc.MakeCall(Call("c", "a", "b", Trigger(EVENT, 0.5), Trigger(delay=1.0), (("X", "y"),), "pjsua2"), "sip:b@x"),
    ipc.Happened("mobile sends 180"),
    ipc.Forget(),
    ipc.Stop(),
    ipc.Quit(),
    ipc.Hello("partial", "why"),
    ipc.Ready(("127.0.0.1", 4711)),
    ipc.Refused("no\n"),
    ipc.Ended(),
    Message(1_795_226_056_862_253_511, 7, "desk", "sent", ("127.0.0.1", 1), ("127.0.0.1", 2), ALL_BYTES, "engine"),
    Note(1, "desk", "step", "text", {"is": "1", "map": "2", "": ""}),
    Lag(1, "desk", 2),
    Exit(1, "desk", -6, ("one", "two")),
    Log(1, "line"),
    Malformed(1, "desk", ("", 0), ("::1", 2), b"\x00\r\n", "why"),
    After(Event("a", "gets", RequestPattern("ACK", frozenset({486})))),
    Send(200, "lone surrogate \udcff"),
]


@pytest.mark.parametrize("value", VALUES, ids=[f"{type(v).__name__}-{n}" for n, v in enumerate(VALUES)])
def test_what_is_sent_is_what_arrives(value: object) -> None:
    line = ipc.encode(value)
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    found = ipc.decode(line[:-1])
    assert found == value
    assert type(found) is type(value)
    assert repr(found) == repr(value), "also what equality does not look at"


def test_every_step_of_the_language_can_be_said() -> None:
    words = [c for part in (steps, script, scenario) for c in vars(part).values() if isinstance(c, type)]
    assert {c.__name__ for c in words if dataclasses.is_dataclass(c)} <= set(ipc._CLASSES)


def test_values_come_out_of_any_pieces() -> None:
    stream = b"".join(map(ipc.encode, VALUES))
    rng = random.Random(3)
    for _ in range(20):
        lines, found, rest = ipc.Lines(), [], stream
        while rest:
            cut = rng.randint(1, 700)
            found += lines.feed(rest[:cut])
            rest = rest[cut:]
        assert found == VALUES


@pytest.mark.parametrize(
    "line",
    [
        b"", b"no json", b"{", b'{"is":"Popen","args":["true"]}', b'{"is":"Stop","extra":1}', b'{"is":"Wait"}',
        b'{"bytes":"\xc4\x80"}', b'{"set":1}', b'{"odd":1}', b'{"map":1,"set":2}', b"[" * 100_000, b'{"is":["Stop"]}',
    ],
)  # fmt: skip
def test_nonsense_is_refused(line: bytes) -> None:
    with pytest.raises(ipc.BadLine):
        ipc.decode(line)


def test_a_line_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ipc, "MAX_LINE", 1000)
    lines = ipc.Lines()
    assert list(lines.feed(b"x" * 1000)) == []
    with pytest.raises(ipc.BadLine, match="more than 1000 bytes"):
        list(lines.feed(b"x"))


@pytest.mark.parametrize("value", [object(), {1, 2}, [1], Assignment, json])
def test_what_cannot_be_said_is_an_error(value: object) -> None:
    with pytest.raises(TypeError, match="never sent"):
        ipc.encode(value)
