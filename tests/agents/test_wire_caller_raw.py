"""A caller that breaks the rules: it says its request again, takes it back at any time, damages it, sends bytes."""

from __future__ import annotations

import pytest
from on_loop import on_loop
from wire_stage import FAST, Stage, peer, stage

from sip_harness.agents.wire import WireAgent
from sip_harness.model.entry import Malformed, Message
from sip_harness.model.pattern import Event, RequestPattern, ResponsePattern
from sip_harness.model.scenario import Call
from sip_harness.model.steps import After, Again, Delivery, Mutation, Raw, Request, Send, Step, Wait
from sip_harness.sip.message import MAX_MESSAGE

URI = "sip:bob@x.test"
RINGING, OK, BUSY = Send(180, "Ringing"), Send(200, "OK"), Send(486, "Busy Here")
CANCEL = Request("CANCEL")
OTHER = Again("other")
INVITE = (
    b"INVITE sip:bob@x.test SIP/2.0\nv: SIP/2.0/UDP {sent-by};rport;branch={branch}\nFROM:{from}\nt:  {to}\n"
    b"i: {call-id}\nCSeq:  0007   INVITE\nm: {contact}\nX-Odd: \xff\nl: 0\n\n"
)


def call(method: str = "INVITE", **more: object) -> Call:
    return Call("c1", "alice", "bob", method=method, **more)  # type: ignore[arg-type]


def damaged(*mutations: tuple[str, str], **more: object) -> Delivery:
    return Delivery(mutations=tuple(Mutation(*one) for one in mutations), **more)  # type: ignore[arg-type]


async def called(here: Stage, one: Call, *steps: Step) -> WireAgent:
    desk = here.device("desk", steps or (BUSY,))
    await desk.start()
    return await calling(here, one, desk)


async def calling(here: Stage, one: Call, desk: WireAgent) -> WireAgent:
    alice = here.caller(desk.local, patience=0.1, timers=FAST)
    await alice.start()
    alice.call(one, URI)
    return alice


def sent(here: Stage, what: str) -> list[bytes]:
    return [m.data for m in here.messages("alice") if m.direction == "sent" and m.data.startswith(what.encode())]


@on_loop
async def test_again_is_the_same_to_the_last_byte_at_any_time() -> None:
    async with stage() as here:
        meanwhile = (
            Again(),
            Wait(0.05),
            Again(),
            After(Event("alice", "gets", ResponsePattern(frozenset({486})))),
            Again(),
        )
        here.relays["alice gets 486"] = "alice gets 486"
        await called(here, call(meanwhile=meanwhile), RINGING, Wait(0.2), BUSY)
        await here.until(lambda: len(sent(here, "INVITE")) == 4)
        assert len(set(sent(here, "INVITE"))) == 1
        assert {m.origin for m in here.messages("alice") if m.data.startswith(b"INVITE")} == {"script"}
        assert [note.text for note in here.notes("step") if note.agent == "alice"] == ["again"] * 3


@on_loop
async def test_a_schedule_of_its_own_takes_the_place_of_timer_a() -> None:
    async with stage() as here, peer() as silent:
        alice = here.caller(silent.address, timers=FAST)
        await alice.start()
        alice.call(call(how=Delivery(resend=(0.1, 0.4))), URI)
        assert alice.busy
        await here.until(lambda: len(sent(here, "INVITE")) == 3)
        times = [m.time for m in here.messages("alice")]
        assert [round((time - times[0]) / 1e9, 1) for time in times] == [0.0, 0.1, 0.4]
        assert not alice.busy


@on_loop
async def test_a_request_that_is_never_sent_again() -> None:
    async with stage() as here, peer() as silent:
        alice = here.caller(silent.address, timers=FAST)
        await alice.start()
        alice.call(call("MESSAGE", how=Delivery(resend=())), URI)
        alice.call(call("OPTIONS"), URI)
        await here.until(lambda: len(sent(here, "OPTIONS")) == 4)  # timer E of the other one goes on
        assert len(sent(here, "MESSAGE")) == 1


@on_loop
async def test_copies_leave_at_once() -> None:
    async with stage() as here:
        await called(here, call(how=Delivery(copies=3)))
        await here.see("alice gets 486")
        assert len(sent(here, "INVITE")) == 3


@on_loop
async def test_a_merged_request_differs_in_its_branch_alone_and_is_acknowledged() -> None:
    async with stage() as here:
        await called(here, call(meanwhile=(OTHER,)), BUSY)
        await here.see("desk gets ACK", "desk gets ACK")
        first, second = (here.message("desk gets INVITE", index) for index in (0, 1))
        assert first.branch != second.branch
        assert first.data.replace(first.branch.encode(), second.branch.encode()) == second.data
        assert {here.message("desk gets ACK", index).branch for index in (0, 1)} == {first.branch, second.branch}


@on_loop
async def test_the_answer_to_a_merged_request_is_one_more_of_the_fork() -> None:
    async with stage() as here:
        await called(here, call(meanwhile=(OTHER,)), RINGING, OK)
        await here.see("alice gets 200", "alice gets 200", "alice gets 200 to BYE", "alice gets 200 to BYE")
        tags = {here.message("alice gets 200", index).to_tag for index in (0, 1)}
        assert {here.message("desk gets ACK", index).to_tag for index in (0, 1)} == tags
        assert {here.message("desk gets BYE", index).to_tag for index in (0, 1)} == tags


@on_loop
async def test_a_merged_request_that_still_rings_is_taken_back_at_the_end() -> None:
    async with stage() as here:
        alice = await called(here, call(meanwhile=(OTHER,)), RINGING)
        await here.see("alice gets 180", "alice gets 180")
        await alice.stop()
        await here.see("desk gets CANCEL", "desk gets CANCEL")


@on_loop
async def test_cancel_before_any_response() -> None:
    async with stage() as here, peer() as system:
        alice = here.caller(system.address, timers=FAST)
        await alice.start()
        alice.call(call(meanwhile=(CANCEL,)), URI)
        invite = await system.get("INVITE")
        cancel = await system.find("CANCEL")
        assert (cancel.branch, cancel.cseq, cancel.uri) == (invite.branch, (1, "CANCEL"), invite.uri)
        system.answer(cancel, 200)
        system.answer(invite, 487)
        assert (await system.find("ACK")).branch == invite.branch


@on_loop
async def test_cancel_after_the_final_response_and_from_another_address() -> None:
    async with stage() as here:
        here.relays["alice gets 486"] = "alice gets 486"
        late = Request("CANCEL", (("Via", "SIP/2.0/UDP 127.0.0.9:5999;rport;branch={branch}"), ("X-A", "1")))
        after = After(Event("alice", "gets", ResponsePattern(frozenset({486}))))
        await called(here, call(meanwhile=(after, late)), BUSY)
        await here.see("alice gets 481 to CANCEL")  # RFC 3261 17.2.3: with another sent-by it belongs to nothing
        cancel, invite = here.message("desk gets CANCEL"), here.message("desk gets INVITE")
        assert (cancel.branch, cancel.get("x-a"), len(cancel.all("via"))) == (invite.branch, "1", 1)
        assert (cancel.get("via") or "").startswith("SIP/2.0/UDP 127.0.0.9:5999")


@on_loop
async def test_a_cancel_by_itself_and_one_for_another_request() -> None:
    async with stage() as here:
        await called(here, call("CANCEL"))
        await here.see("alice gets 481 to CANCEL")
    async with stage() as here:
        await called(here, call("MESSAGE", meanwhile=(CANCEL,)))
        await here.see("alice gets 405 to MESSAGE", "desk gets CANCEL")
        assert here.message("desk gets CANCEL").branch == here.message("desk gets MESSAGE").branch


@on_loop
@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
async def test_what_is_damaged_leaves_damaged_each_time(method: str) -> None:
    async with stage() as here, peer() as system:
        alice = here.caller(system.address, timers=FAST)
        await alice.start()
        alice.call(
            call(method, how=damaged(("strip", "Max-Forwards"), ("duplicate", "To"), ("corrupt", "Call-ID"))), URI
        )
        first, again = await system.get(method), await system.get(method)
        assert first.data == again.data
        assert (first.get("max-forwards"), len(first.all("to"))) == (None, 2)
        assert b'\xff\xfe"<\x01' in first.data


@on_loop
async def test_a_request_that_is_cut_off_is_kept_as_what_it_is() -> None:
    async with stage() as here, peer() as system:
        alice = here.caller(system.address, timers=FAST)
        await alice.start()
        alice.call(call(how=damaged(("truncate", "12"))), URI)
        await here.until(lambda: any(isinstance(e, Malformed) for e in here.others()))
        assert {(e.data, e.direction) for e in here.others() if isinstance(e, Malformed)} == {(b"INVITE sip:b", "sent")}


@on_loop
async def test_damages_within_the_call() -> None:
    async with stage() as here:
        step = Request("INFO", (("X-A", "1"),), how=damaged(("strip", "Contact"), ("duplicate", "X-A"), resend=(0.1,)))
        await called(here, call(then=(step,)), OK)
        await here.see("desk gets INFO", "desk gets INFO")
        assert here.message("desk gets INFO").all("x-a") == ["1", "1"]


@on_loop
async def test_an_invite_as_exact_bytes_is_a_call() -> None:
    for steps, wanted in (((RINGING, BUSY), "desk gets ACK"), ((RINGING, OK), "alice gets 200 to BYE")):
        async with stage() as here:
            await called(here, call(raw=Raw(INVITE, "odd.sip")), *steps)
            await here.see(wanted)
            [data] = set(sent(here, "INVITE"))
            assert data.startswith(b"INVITE sip:bob@x.test SIP/2.0\nv: SIP/2.0/UDP 127.0.0.1:")
            assert b"\nCSeq:  0007   INVITE\nm: <sip:s1x1alice@127.0.0.1:" in data
            assert b"\nX-Odd: \xff\nl: 0\n\n" in data
            assert here.message("desk gets ACK").cseq == (7, "ACK")
            [note] = here.notes("call")
            assert note.data["call_id"] == here.message("desk gets INVITE").call_id
            assert note.text == f"sends bytes of odd.sip to {URI}"


@on_loop
async def test_another_request_as_exact_bytes() -> None:
    data = INVITE.replace(b"INVITE", b"TELEPORT")
    async with stage() as here:
        await called(here, call("TELEPORT", raw=Raw(data, "odd.sip"), how=Delivery(copies=2)))
        await here.see("alice gets 405 to TELEPORT")
        [note] = here.notes("call")
        assert note.data["method"] == "TELEPORT"
        assert here.message("desk gets TELEPORT").cseq == (7, "TELEPORT")


@on_loop
async def test_a_challenge_to_exact_bytes_stays_unanswered() -> None:
    asks = Send(401, "Unauthorized", (("WWW-Authenticate", 'Digest realm="r", nonce="n"'),))
    async with stage() as here:
        desk = here.device("desk", (asks,))
        await desk.start()
        alice = here.caller(desk.local, password="secret", timers=FAST)
        await alice.start()
        alice.call(call(raw=Raw(INVITE, "odd.sip")), URI)
        await here.see("desk gets ACK")
        assert len(sent(here, "INVITE")) == 1


@on_loop
@pytest.mark.parametrize(
    "data",
    [
        b"hello",
        b"\r\n\r\n",
        b"\0" * 100,
        b"SIP/2.0 200 OK\r\n\r\n",
        b"ACK sip:x SIP/2.0\r\nVia: {via}\r\nCSeq: 1 ACK\r\n\r\n",
        b"x" * (MAX_MESSAGE - 100),
    ],
)
async def test_what_nobody_can_answer_is_out_and_over(data: bytes) -> None:
    async with stage() as here, peer() as system:
        alice = here.caller(system.address, timers=FAST)
        await alice.start()
        alice.call(call("", raw=Raw(data, "x.sip"), meanwhile=(Wait(0.05), Again(), OTHER, CANCEL)), URI)
        await here.until(lambda: len(here.notes("engine")) == 2)
        out = [e.data for e in here.entries if isinstance(e, Malformed | Message) and e.direction == "sent"]
        assert len(out) == 2
        assert len(set(out)) == 1
        assert not alice.busy


@on_loop
async def test_an_ack_by_itself() -> None:
    async with stage() as here, peer() as system:
        alice = here.caller(system.address)
        await alice.start()
        alice.call(call("ACK"), URI)
        ack = await system.get("ACK")
        assert ack.cseq == (1, "ACK")
        alice.call(call("OPTIONS"), URI)
        await system.get("OPTIONS")
        assert len(sent(here, "ACK")) == 1


@on_loop
async def test_bytes_meanwhile_stand_for_the_request() -> None:
    async with stage() as here, peer() as system:
        alice = here.caller(system.address)
        await alice.start()
        raw = Raw(b"UPDATE {run} SIP/2.0\r\nVia: {via}\r\nX: {branch} {call-id}\r\n\r\n", "u.sip")
        for method in ("INVITE", "OPTIONS"):
            alice.call(call(method, meanwhile=(raw,)), URI)
            first, second = await system.get(), await system.find("UPDATE")
            assert second.uri == "s1x1"
            assert second.get("x") == f"{first.branch} {first.call_id}"


@on_loop
async def test_an_odd_request_without_an_answer_is_given_up_at_the_end() -> None:
    async with stage() as here, peer() as system:
        alice = here.caller(system.address)
        await alice.start()
        alice.call(call(raw=Raw(INVITE, "odd.sip")), URI)
        await system.get("INVITE")
        await alice.stop()
        assert len(sent(here, "CANCEL")) == 0


def test_events_have_the_names_that_relays_use() -> None:
    assert str(Event("alice", "gets", ResponsePattern(frozenset({486})))) == "alice gets 486"
    assert str(Event("alice", "sends", RequestPattern("CANCEL"))) == "alice sends CANCEL"
