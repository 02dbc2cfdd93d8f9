"""Every response code on both stacks, as an independent caller sees it: the exact line, every header, each once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import pytest
from sipp_codes import Call, call, scenario

from sip_harness.agents.base import Agent, Assignment
from sip_harness.agents.pjsua2.client import Pjsua2Agent
from sip_harness.agents.pjsua2.pool import Pool
from sip_harness.agents.wire import WireAgent
from sip_harness.language import load_text
from sip_harness.model.entry import Entry, Malformed, Message, Note
from sip_harness.model.script import Script
from sip_harness.model.steps import Send
from sip_harness.model.system import User
from sip_harness.script.pjsua2_limits import obstacles
from sip_harness.sip.codes import CODES
from sip_harness.sip.message import parse

pytestmark = pytest.mark.needs_sipp

SCRIPTED = {
    "X-Scripted": "one",
    "X-Many": ["first; a=1", "second, third"],
    "Retry-After": "30",
    "Reason": 'Q.850;cause=17;text="x, y"',
}
LANES = 4
"""Devices that are called side by side; each answers its share of the codes, one attempt after the other."""
NOT_ON_PJSUA2 = {405: "it adds its own Allow to a 405"}


def scripts() -> dict[int, Script]:
    """For every code a script with all that its author gave and all that its code has to carry."""
    documents = {code: [{code: {"headers": SCRIPTED}}] for code in CODES}
    for code in (c for c in CODES if c < 200):
        # What was given to a provisional stays on pjsua2, so the final that ends the call has the same.
        documents[code].append({486: {"headers": SCRIPTED}})
    text = {
        "title": "Every code",
        "id": "CODES",
        "cite": "RFC 3261 21",
        "targets": {"bob": {"ring": ["desk"]}},
        "devices": {"desk": {"answers": list(documents.values())}},
        "calls": [{"from": "alice", "to": "bob"}],
        "expect": {"desk": "reached"},
    }
    device = load_text(json.dumps(text), "codes.sip.yaml").device("desk")
    assert device is not None
    return {code: Script((steps,)) for code, steps in zip(documents, device.script.attempts, strict=True)}


SCRIPTS = scripts()


@dataclass
class Outcome:
    """What SIPp and the record of the devices say, by code."""

    calls: dict[int, Call] = field(default_factory=dict)
    entries: dict[int, list[Entry]] = field(default_factory=dict)


class Lane:
    """One device that answers each of its codes once, in turn."""

    def __init__(self, stack: str, codes: Sequence[int], pool: Pool) -> None:
        self._is_pjsua2 = stack == "pjsua2"
        self._codes = codes
        self._entries: list[Entry] = []
        script = Script(tuple(SCRIPTS[code].attempts[0] for code in codes))
        user = User("desk", "127.0.0.1")
        part = Assignment("desk", "device", user, "desk-lane", ("127.0.0.1", 5060), "lane", script)
        self._agent: Agent = (
            Pjsua2Agent(part, self._entries.append, pool) if self._is_pjsua2 else WireAgent(part, self._entries.append)
        )

    async def run(self, folder: Path, outcome: Outcome) -> None:
        """Call it once for each code."""
        folder.mkdir()
        await self._agent.start()
        try:
            for code in self._codes:
                begin = len(self._entries)
                text = scenario(responses(code), stack_says_100=self._is_pjsua2)
                outcome.calls[code] = await call(folder / str(code), text, self._agent.local)
                await self._until_acknowledged(begin)
                outcome.entries[code] = self._entries[begin:]
        finally:
            await self._agent.stop()

    async def _until_acknowledged(self, begin: int) -> None:
        """SIPp ends as soon as it has sent its last message; that the device has got it is seen a moment later."""
        with suppress(TimeoutError):
            async with asyncio.timeout(2):
                while "ACK" not in received(self._entries[begin:]):
                    await asyncio.sleep(0.005)


def responses(code: int) -> list[Send]:
    """What the device sends for this code."""
    return [step for step in SCRIPTS[code].attempts[0] if isinstance(step, Send)]


def received(entries: Sequence[Entry]) -> list[str]:
    """Methods of the requests that came in."""
    messages = [e for e in entries if isinstance(e, Message) and e.direction == "received"]
    return [parse(m.data).method for m in messages]


async def run_lanes(stack: str, codes: Sequence[int], place: Path) -> Outcome:
    outcome = Outcome()
    pool = Pool(0)
    try:
        if stack == "pjsua2":
            await pool.prewarm(LANES)
        lanes = [Lane(stack, codes[first::LANES], pool) for first in range(LANES)]
        await asyncio.gather(*(lane.run(place / str(n), outcome) for n, lane in enumerate(lanes)))
    finally:
        await pool.close()
    return outcome


@pytest.fixture(scope="module")
def outcome_on(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Outcome]:
    """Every code that a stack can carry out, called once."""

    @cache
    def run(stack: str) -> Outcome:
        codes = [code for code in CODES if stack == "wire" or code not in NOT_ON_PJSUA2]
        return asyncio.run(run_lanes(stack, codes, tmp_path_factory.mktemp(f"codes-{stack}")))

    return run


CASES = [
    *(pytest.param("wire", code, id=f"wire-{code}") for code in CODES),
    *(
        pytest.param("pjsua2", code, id=f"pjsua2-{code}", marks=pytest.mark.needs_pjsua2)
        for code in CODES
        if code not in NOT_ON_PJSUA2
    ),
]


@pytest.mark.parametrize(("stack", "code"), CASES)
def test_sipp_gets_exactly_what_was_scripted(outcome_on: Callable[[str], Outcome], stack: str, code: int) -> None:
    outcome = outcome_on(stack)
    assert outcome.calls[code].status == 0, outcome.calls[code].said
    entries = outcome.entries[code]
    scripted = [e for e in entries if isinstance(e, Message) and e.origin == "script"]
    assert list(dict.fromkeys(parse(m.data).code for m in scripted)) == [send.code for send in responses(code)]
    assert "ACK" in received(entries)
    assert not [e for e in entries if isinstance(e, Malformed) or (isinstance(e, Note) and e.kind == "engine")]
    assert not [e for e in entries if isinstance(e, Message) and e.origin == "engine"]


def test_what_pjsua2_cannot_do_is_known() -> None:
    found = {code: [o.reason for o in obstacles(script)] for code, script in SCRIPTS.items()}
    assert {code: reasons for code, reasons in found.items() if reasons} == {
        code: [reason] for code, reason in NOT_ON_PJSUA2.items()
    }


def test_every_code_and_what_it_has_to_carry_is_asked_for() -> None:
    assert list(SCRIPTS) == list(CODES)
    for code, script in SCRIPTS.items():
        first = script.attempts[0][0]
        assert isinstance(first, Send)
        assert (first.code, first.reason) == (code, CODES[code].phrase)
        names = [name for name, _ in first.headers]
        assert names[:5] == ["X-Scripted", "X-Many", "X-Many", "Retry-After", "Reason"]
        due = {name for name, _ in CODES[code].default_headers("127.0.0.1")}
        assert due <= set(names)


def altered(send: Send, *headers: tuple[str, str]) -> Send:
    return replace(send, headers=headers)


WRONG: Mapping[str, Callable[[Send], Send]] = {
    "another code": lambda s: replace(s, code=487),
    "another phrase": lambda s: replace(s, reason="Busy"),
    "a longer phrase": lambda s: replace(s, reason="Busy Here Now"),
    "a header too few": lambda s: altered(s, *s.headers, ("X-None", "1")),
    "a value that is cut": lambda s: altered(s, ("X-Scripted", "on"), *s.headers[1:]),
    "a value that is longer": lambda s: altered(s, ("X-Scripted", "one."), *s.headers[1:]),
    "values in another order": lambda s: altered(s, s.headers[2], s.headers[1]),
    "a header twice": lambda s: altered(s, s.headers[1]),
    "a body": lambda s: replace(s, body="hello", content_type="text/plain"),
}


def test_sipp_finds_every_difference(tmp_path: Path) -> None:
    """That the checks above can fail: a 486 as scripted is held against expectations that it does not meet."""

    async def compare(expected: Send, folder: str) -> int:
        entries: list[Entry] = []
        user = User("desk", "127.0.0.1")
        part = Assignment("desk", "device", user, "desk-wrong", ("127.0.0.1", 5060), "wrong", SCRIPTS[486])
        agent = WireAgent(part, entries.append)
        await agent.start()
        try:
            text = scenario([expected], stack_says_100=False)
            return (await call(tmp_path / folder, text, agent.local)).status
        finally:
            await agent.stop()

    async def all_of_them() -> dict[str, int]:
        [right] = responses(486)
        expected = {"nothing": right, **{what: change(right) for what, change in WRONG.items()}}
        found = await asyncio.gather(*(compare(send, str(n)) for n, send in enumerate(expected.values())))
        return dict(zip(expected, found, strict=True))

    found = asyncio.run(all_of_them())
    assert found.pop("nothing") == 0
    assert [what for what, status in found.items() if status == 0] == []
