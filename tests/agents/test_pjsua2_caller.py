"""A caller on the pjsua2 stack."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable

import pytest
from on_loop import on_loop
from pjsua2_peer import SDP, Desk, Peer, a_desk, a_peer, a_pool, caller, code_of, reply

from sip_harness.model.entry import Message
from sip_harness.model.pattern import Event, ResponsePattern, Trigger
from sip_harness.model.scenario import Call
from sip_harness.model.system import User
from sip_harness.script.machine import ACKED
from sip_harness.sip import message as sip

pytestmark = pytest.mark.needs_pjsua2

CALL = Call("first", "alice", "bob")
URI = "sip:bob@test.example"
EVENT = Event("desk", "sends", ResponsePattern(frozenset({180})))


def answers(peer: Peer, on_invite: Callable[[sip.Message], list[bytes]]) -> None:
    """Answer INVITE so, and everything else with 200."""

    def answer(message: sip.Message) -> list[bytes]:
        if message.method == "INVITE":
            return on_invite(message)
        return [] if message.method in ("", "ACK") else [reply(message, 200, "OK")]

    peer.answer = answer


def ringing(message: sip.Message) -> list[bytes]:
    return [reply(message, 100, "Trying"), reply(message, 180, "Ringing")]


def contact(peer: Peer) -> str:
    return f"Contact: <sip:bob@127.0.0.1:{peer.local[1]}>"


def accepting(peer: Peer) -> Callable[[sip.Message], list[bytes]]:
    return lambda m: [*ringing(m), reply(m, 200, "OK", contact(peer), body=SDP)]


def refusing(code: int, *headers: str) -> Callable[[sip.Message], list[bytes]]:
    return lambda m: [reply(m, 100, "Trying"), reply(m, code, "No", *headers)]


def methods(d: Desk) -> list[tuple[str, str]]:
    """What the caller sent, each with its origin."""
    return [(sip.parse(m.data).method, m.origin) for m in d.sent()]


@on_loop
async def test_the_invite_and_a_refusal() -> None:
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, caller(peer.local)) as d:
        answers(peer, refusing(486))
        headers = (("P-Asserted-Identity", "<sip:+49@x>"), ("X-A", "1"), ("X-A", "2"))
        d.agent.call(Call("first", "alice", "bob", headers=headers), URI)
        invite = await peer.request("INVITE")
        await peer.request("ACK", invite.call_id)
        await d.until(lambda e: isinstance(e, Message) and e.data.startswith(b"ACK"))
        host, port = d.agent.local
        [note] = d.notes("call")
    assert note.data == {"call": "first", "call_id": invite.call_id}
    assert invite.uri == URI
    assert re.fullmatch(r"<sip:alice@test\.example>;tag=.+", invite.get("from") or "")
    assert invite.get("to") == f"<{URI}>"
    assert invite.all("contact") == [f"<sip:alice-tx1@{host}:{port}>"]
    assert invite.all("x-a") == ["1", "2"]
    assert invite.all("p-asserted-identity") == ["<sip:+49@x>"]
    assert not {f.key for f in invite.fields} & {"route", "session-expires", "min-se", "user-agent", "require"}
    assert b"m=audio" in invite.body
    assert methods(d) == [("INVITE", "script"), ("ACK", "protocol")]
    assert note.time <= d.sent()[0].time


@on_loop
async def test_an_answered_call_is_hung_up_when_the_answering_device_has_its_ack() -> None:
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, caller(peer.local, patience=15.0)) as d:
        answers(peer, accepting(peer))
        d.agent.call(CALL, URI)
        await peer.request("ACK")
        assert not [m for m in peer.seen if m.method == "BYE"]
        d.agent.happened(ACKED)
        await peer.request("BYE")
        await d.until(lambda e: code_of(e) == 200 and b"BYE" in getattr(e, "data", b""))
    assert methods(d) == [("INVITE", "script"), ("ACK", "protocol"), ("BYE", "script")]
    assert [n.text for n in d.notes("step")] == ["BYE"]


@on_loop
async def test_an_answered_call_ends_after_patience_or_as_stated() -> None:
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, caller(peer.local, patience=0.2)) as d:
        answers(peer, accepting(peer))
        for call, least in ((CALL, 0.2), (Call("second", "alice", "bob", hang_up=Trigger(delay=0.5)), 0.5)):
            d.agent.call(call, URI)
            note = await d.until(lambda e, call=call: getattr(e, "data", b"") and name_of(e) == call.name)
            call_id = getattr(note, "data", {})["call_id"]
            bye = await d.until(lambda e, i=call_id: is_sent(e, "BYE", i))
            ack = await d.until(lambda e, i=call_id: is_sent(e, "ACK", i))
            assert bye.time - ack.time >= least * 0.95e9
            d.agent.forget()


def name_of(entry: object) -> str:
    data = getattr(entry, "data", {})
    return str(data.get("call", "")) if isinstance(data, dict) else ""


def is_sent(entry: object, method: str, call_id: str) -> bool:
    if not isinstance(entry, Message) or entry.direction != "sent":
        return False
    message = sip.parse(entry.data)
    return message.method == method and message.call_id == call_id


@pytest.mark.parametrize(
    ("trigger", "event"), [(Trigger(delay=0.2), ""), (Trigger(EVENT, 0.1), str(EVENT)), (Trigger(), "")]
)
@on_loop
async def test_cancel(trigger: Trigger, event: str) -> None:
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, caller(peer.local)) as d:
        answers(peer, ringing)
        d.agent.call(Call("first", "alice", "bob", cancel=trigger), URI)
        invite = await peer.request("INVITE")
        if event:
            d.agent.happened(event)
        cancel = await peer.request("CANCEL", invite.call_id)
        assert cancel.branch == invite.branch
        peer.send(reply(invite, 487, "Request Terminated"), d.agent.local)
        await peer.request("ACK", invite.call_id)
        await d.until(lambda e: isinstance(e, Message) and e.data.startswith(b"ACK"))
        sent = {sip.parse(m.data).method: m.time for m in d.sent()}
        assert sent["CANCEL"] - sent["INVITE"] >= trigger.delay * 0.95e9
    assert methods(d) == [("INVITE", "script"), ("CANCEL", "script"), ("ACK", "protocol")]


@on_loop
async def test_a_cancel_before_any_response_waits_for_one() -> None:
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, caller(peer.local)) as d:
        d.agent.call(Call("first", "alice", "bob", cancel=Trigger()), URI)
        invite = await peer.request("INVITE")
        await d.has_noted("step")
        assert not [m for m in peer.seen if m.method == "CANCEL"]
        answers(peer, ringing)
        for data in ringing(invite):
            peer.send(data, d.agent.local)
        await peer.request("CANCEL")
        peer.send(reply(invite, 487, "Request Terminated"), d.agent.local)
        await peer.request("ACK")
    assert {(m, o) for m, o in methods(d)} == {("INVITE", "script"), ("CANCEL", "script"), ("ACK", "protocol")}


@on_loop
async def test_an_answer_that_crosses_the_cancel_is_ended_with_one_bye() -> None:
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, caller(peer.local)) as d:
        answers(peer, ringing)
        d.agent.call(Call("first", "alice", "bob", cancel=Trigger(delay=0.1)), URI)
        invite = await peer.request("INVITE")
        await peer.request("CANCEL")
        peer.send(reply(invite, 200, "OK", contact(peer), body=SDP), d.agent.local)
        await peer.request("ACK")
        await peer.request("BYE")
        await d.until(lambda e: code_of(e) == 200 and b"BYE" in getattr(e, "data", b""))
    assert methods(d) == [("INVITE", "script"), ("CANCEL", "script"), ("ACK", "protocol"), ("BYE", "protocol")]


@pytest.mark.parametrize("code", [401, 407])
@on_loop
async def test_a_challenge_is_answered_with_credentials(code: int) -> None:
    name = "WWW-Authenticate" if code == 401 else "Proxy-Authenticate"
    challenge = f'{name}: Digest realm="somewhere", nonce="abc", algorithm=MD5, qop="auth"'
    assignment = {"user": User("alice", "test.example", "secret")}
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, caller(peer.local, **assignment)) as d:
        left = [refusing(code, challenge), refusing(603)]
        answers(peer, lambda m: left[0 if m.cseq[0] == first_cseq(peer) else 1](m))
        d.agent.call(CALL, URI)
        await d.until(lambda e: code_of(e) == 603)
        invites = [m for m in peer.seen if m.method == "INVITE"]
    assert len({m.call_id for m in invites}) == 1
    header = invites[-1].get("authorization" if code == 401 else "proxy-authorization")
    assert header is not None
    assert 'username="alice"' in header
    assert 'realm="somewhere"' in header
    assert methods(d)[:4] == [("INVITE", "script"), ("ACK", "protocol"), ("INVITE", "script"), ("ACK", "protocol")]


def first_cseq(peer: Peer) -> int:
    return next(m.cseq[0] for m in peer.seen if m.method == "INVITE")


@on_loop
async def test_a_redirection_is_final_and_not_followed() -> None:
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, caller(peer.local)) as d:
        answers(peer, refusing(302, contact(peer)))
        d.agent.call(CALL, URI)
        await d.until(lambda e: isinstance(e, Message) and e.data.startswith(b"ACK"))
        # A second call shows that nothing of the first one follows.
        answers(peer, refusing(486))
        d.agent.call(Call("second", "alice", "bob"), URI)
        await d.until(lambda e: code_of(e) == 486)
    assert len({m.call_id for m in peer.seen if m.method == "INVITE"}) == 2
    assert methods(d) == [("INVITE", "script"), ("ACK", "protocol")] * 2


@on_loop
async def test_stop_cancels_what_rings_and_hangs_up_what_talks() -> None:
    async with a_pool() as pool, a_peer() as peer:
        async with a_desk(pool, caller(peer.local, patience=15.0)) as d:
            answers(peer, accepting(peer))
            d.agent.call(CALL, URI)
            await d.until(lambda e: isinstance(e, Message) and e.data.startswith(b"ACK"))
            answers(peer, ringing)
            d.agent.call(Call("second", "alice", "bob"), URI)
            await d.until(lambda e: code_of(e) == 180 and name_count(d) == 2)
            second = [m for m in peer.seen if m.method == "INVITE"][-1]
            await d.until(lambda e: code_of(e) == 180 and second.call_id.encode() in getattr(e, "data", b""))
            stopping = asyncio.create_task(d.agent.stop())
            await peer.request("CANCEL")
            peer.send(reply(second, 487, "Request Terminated"), d.agent.local)
            await stopping
        await peer.read_all()
    assert [(m, o) for m, o in methods(d) if m in ("CANCEL", "BYE")] in (
        [("BYE", "protocol"), ("CANCEL", "protocol")],
        [("CANCEL", "protocol"), ("BYE", "protocol")],
    )
    assert [m.method for m in peer.seen if m.method == "ACK"] == ["ACK", "ACK"]


def name_count(d: Desk) -> int:
    return len(d.notes("call"))


@on_loop
async def test_calls_that_cannot_be_made_are_noted() -> None:
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, caller(peer.local)) as d:
        answers(peer, ringing)
        for call, uri, why in (
            (Call("bad uri", "alice", "bob"), "no uri\r\nX: y", "does not call"),
            (Call("injected", "alice", "bob", headers=(("X", "a\r\nY: b"),)), URI, "line end"),
            (Call("double", "alice", "bob", headers=(("Contact", "<sip:x@y>"),)), URI, "Contact"),
            (Call("large", "alice", "bob", headers=(("X", "x" * 4000),)), URI, "may not be sent"),
        ):
            d.agent.call(call, uri)
            note = await d.until(lambda e, call=call: name_of(e) == call.name)
            assert getattr(note, "kind", "") == "refused"
            assert why in getattr(note, "text", "")
        assert not d.sent()


@on_loop
async def test_a_long_invite_still_goes_by_udp() -> None:
    """Beyond 1300 bytes RFC 3261 18.1.1 would have it go by TCP, which this stack does not offer here."""
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, caller(peer.local)) as d:
        answers(peer, refusing(486))
        d.agent.call(Call("long", "alice", "bob", headers=(("X-Long", "x" * 2000),)), URI)
        invite = await peer.request("INVITE")
        await d.until(lambda e: isinstance(e, Message) and e.data.startswith(b"ACK"))
    assert len(invite.data) > 2500
    assert d.sent(method="INVITE")[0].data == invite.data


@on_loop
async def test_the_fifth_call_at_once_is_refused_by_the_library() -> None:
    async with a_pool() as pool, a_peer() as peer:
        answers(peer, ringing)
        async with a_desk(pool, caller(peer.local)) as d:
            for number in range(5):
                d.agent.call(Call(str(number), "alice", "bob", cancel=Trigger(delay=0.5)), URI)
            refused = await d.has_noted("refused")
            assert refused.data == {"call": "4"}
            assert len(d.notes("call")) == 4


@on_loop
async def test_an_invite_to_a_caller_is_the_stacks_business() -> None:
    from pjsua2_peer import Dialling

    async with a_pool() as pool, a_peer() as peer, a_desk(pool, caller(peer.local)) as d:
        call = Dialling(peer, d.agent.local).invite()
        final = await peer.final(call)
        call.ack(final)
        found = await d.has_sent(final.code)
    assert final.code == 500
    assert found.origin == "engine"


@on_loop
async def test_commands_are_taken_up_at_once() -> None:
    """From the runner's call to the INVITE on the wire: the worker sleeps on the pipe as well as on its socket."""
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, caller(peer.local)) as d:
        answers(peer, refusing(486))
        taken = []
        for number in range(30):
            asked = time.time_ns()
            d.agent.call(Call(str(number), "alice", "bob"), URI)
            sent = await d.until(lambda e, n=number: sum(is_method(m, "INVITE") for m in d.sent()) > n)
            del sent
            taken.append([m for m in d.sent() if is_method(m, "INVITE")][number].time - asked)
            await d.until(lambda e, n=number: sum(is_method(m, "ACK") for m in d.sent()) > n)
    assert sorted(taken)[len(taken) // 2] < 20_000_000


def is_method(entry: Message, method: str) -> bool:
    return entry.data.startswith(method.encode())
