"""A scripted response on the wire, for every code: nothing missing, nothing twice, nothing unexpected."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest
from on_loop import on_loop
from pjsua2_peer import Dialling, Peer, a_desk, a_peer, a_pool, device

from sip_harness.model.script import Script
from sip_harness.model.steps import Send
from sip_harness.script.pjsua2_limits import ALLOW, SUPPORTED, obstacles, stack_adds
from sip_harness.sip.message import Message, parse

pytestmark = pytest.mark.needs_pjsua2

CODES = range(100, 700)
COPIED = {"via", "record-route", "from", "to", "call-id", "cseq", "content-length"}


def scripted(code: int) -> Send:
    """A response with a reason and headers that show any change made to them."""
    headers = (
        ("X-Harness", f'{code} a, b;c="d, e" <f>'),
        ("Warning", '399 harness "ein Wort: größer"'),
        ("x-hArNeSs", "again"),
        ("X-Empty", ""),
    )
    return Send(code, f"Reason {code}: ä, ß; 100%", headers)


async def play(peer: Peer, call: Dialling, steps: Sequence[Send]) -> list[Message]:
    """The responses of one attempt, with the call ended afterwards whatever they were."""
    last = steps[-1].code
    call.invite()
    await peer.get(lambda m: m.call_id == call.call_id and m.code == last and m.reason == steps[-1].reason)
    if last < 200:
        call.cancel()
        call.ack(await peer.response(call, 487))
        await peer.response(call, 200, "CANCEL")
    else:
        final = await peer.response(call, last)
        call.ack(final)
        if last < 300:
            call.bye(final)
            await peer.response(call, 200, "BYE")
    return peer.responses(call)


def added(response: Message, step: Send) -> list[str]:
    """Names of the headers that are neither copied nor the script's."""
    own = list(step.headers)
    rest = []
    for field in response.fields:
        if (field.name, field.value) in own:
            own.remove((field.name, field.value))
        elif field.key not in COPIED:
            rest.append(field.name)
    assert not own, f"{step}: missing {own}"
    return sorted(rest)


@on_loop
async def test_every_code_is_sent_as_scripted_and_with_the_known_additions() -> None:
    async with a_pool() as pool, a_peer() as peer:
        attempts = tuple((scripted(code),) for code in CODES)
        async with a_desk(pool, device(peer.local, *attempts)) as desk:
            for code, (step,) in zip(CODES, attempts, strict=True):
                call = Dialling(peer, desk.agent.local)
                responses = await play(peer, call, [step])
                [response] = [r for r in responses if r.reason == step.reason]
                assert response.start == f"SIP/2.0 {code} {step.reason}"
                for name, value in step.headers:
                    line = f"\r\n{name}: {value}\r\n".encode()
                    assert response.data.count(line) == 1, (code, line)
                assert added(response, step) == sorted(stack_adds(code)), code
        origins = {(m.origin, parse(m.data).code) for m in desk.sent()}
        assert {(o, c) for o, c in origins if o == "script"} == {("script", c) for c in CODES}
        assert {(o, c) for o, c in origins if o != "script"} == {
            ("protocol", 100),
            ("protocol", 200),
            ("protocol", 487),
        }


@on_loop
async def test_values_of_the_added_headers() -> None:
    async with a_pool() as pool, a_peer() as peer:
        steps = (Send(180, "Ringing"), Send(200, "OK"))
        async with a_desk(pool, device(peer.local, steps)) as desk:
            responses = await play(peer, Dialling(peer, desk.agent.local), steps)
            host, port = desk.agent.local
    for response in responses[1:]:
        assert response.all("contact") == [f"<sip:desk-tx1@{host}:{port}>"]
        assert response.all("allow") == [ALLOW]
    assert responses[2].all("supported") == [SUPPORTED]
    assert responses[2].all("content-type") == ["application/sdp"]


def draw(rng: random.Random) -> tuple[Send, ...]:
    """An attempt at random, made of the things that interfere with each other."""
    steps: list[Send] = []
    kept: list[tuple[str, str]] = []
    for _ in range(rng.randint(0, 3)):
        code = rng.choice((100, 101, 150, 180, 181, 182, 183, 189, 190, 199))
        steps.append(draw_send(rng, code, kept))
    steps.append(
        draw_send(rng, rng.choice((200, 202, 299, 300, 302, 400, 405, 422, 480, 485, 486, 600, 603, 699)), kept)
    )
    return tuple(steps)


def draw_send(rng: random.Random, code: int, kept: list[tuple[str, str]]) -> Send:
    new = [
        rng.choice((
            ("X-A", str(rng.randint(1, 3))), ("Contact", "<sip:else@127.0.0.1>"), ("Allow", ALLOW), ("Allow", "INVITE"),
            ("Supported", SUPPORTED), ("Supported", "x"), ("k", "x"), ("Min-SE", "1800"), ("m", "<sip:m@127.0.0.1>"),
            ("Retry-After", "5"), ("Reason", "Q.850;cause=17"),
        ))
        for _ in range(rng.choice((0, 0, 1, 2)))
    ]  # fmt: skip
    if rng.random() < 0.2:
        kept.clear()
    kept.extend(new)
    body = rng.choice(("", "", "", "a text\r\n"))
    return Send(code, f"R{rng.randint(0, 9)}", tuple(kept), body=body, content_type="text/plain" if body else "")


def test_random_attempts_are_of_both_kinds() -> None:
    rng = random.Random(7)
    free = [not obstacles(Script((draw(rng),))) for _ in range(1000)]
    assert 150 < sum(free) < 850


@pytest.mark.parametrize("seed", range(4))
@on_loop
async def test_what_is_no_obstacle_is_sent_exactly(seed: int) -> None:
    rng = random.Random(seed)
    attempts: list[tuple[Send, ...]] = []
    while len(attempts) < 100:
        attempt = draw(rng)
        if not obstacles(Script((attempt,))):
            attempts.append(attempt)
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, device(peer.local, *attempts)) as desk:
        for steps in attempts:
            responses = await play(peer, Dialling(peer, desk.agent.local), steps)
            automatic, *scripted_ones = responses
            assert automatic.start == "SIP/2.0 100 Trying"
            assert [r.code for r in scripted_ones] == [s.code for s in steps]
            for index, (response, step) in enumerate(zip(scripted_ones, steps, strict=True)):
                earlier = [s.code for s in steps[:index]]
                expected = [n for n in stack_adds(step.code, earlier) if not stands_for(step, n)]
                expected += ["Content-Type"] if step.body else []
                assert added(response, step) == sorted(expected), (steps, index)
                assert not step.body or response.body == step.body.encode()


def stands_for(step: Send, name: str) -> bool:
    return any(n.lower() == name.lower() for n, _ in step.headers)


@on_loop
async def test_bursts_are_answered_in_order() -> None:
    """Three calls at once, each with its own Call-ID, and each answered by its own attempt."""
    attempts = tuple((Send(480 + i, f"Number {i}"),) for i in range(3))
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, device(peer.local, *attempts)) as desk:
        calls = [Dialling(peer, desk.agent.local).invite() for _ in attempts]
        finals = await asyncio.gather(*(peer.final(c) for c in calls))
        for call, final in zip(calls, finals, strict=True):
            call.ack(final)
        assert [f.code for f in finals] == [480, 481, 482]
