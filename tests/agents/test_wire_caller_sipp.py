"""SIPp, an independent implementation, is called by a wire caller and checks what it gets."""

from __future__ import annotations

from pathlib import Path

import pytest
from on_loop import on_loop
from sipp_callee import accepted, answer, ask, callee, invited, only_with, receive, reply, scenario
from wire_stage import stage

from sip_harness.model.pattern import Trigger
from sip_harness.model.scenario import Call
from sip_harness.model.steps import HangUp, Request, Step, Wait

pytestmark = pytest.mark.needs_sipp

URI = "sip:bob@x.test"
ANSWERED = (invited(), answer(180), answer(200, session=True), receive("ACK", CSeq="1 ACK"))
HUNG_UP = (receive("BYE"), reply(200))


def call(*then: Step, **more: object) -> Call:
    return Call("c1", "alice", "bob", then=then, **more)  # type: ignore[arg-type]


async def run(
    folder: Path, text: str, of: Call, *, password: str = "", seconds: int = 15
) -> tuple[int, str, list[str]]:
    """SIPp's exit status, what it said, and what the caller sent and got."""
    async with stage() as here, callee(folder, text, seconds=seconds) as sipp:
        alice = here.caller(sipp.address, password=password, patience=0.2)
        await alice.start()
        alice.call(of, URI)
        status, said = await sipp.end()
        return status, said, here.ladder("alice")


@on_loop
async def test_answered_and_hung_up(tmp_path: Path) -> None:
    status, said, ladder = await run(tmp_path, scenario(*ANSWERED, *HUNG_UP), call())
    assert status == 0, said
    assert ladder[:4] == ["alice sends INVITE", "alice gets 180", "alice gets 200", "alice sends ACK"]


@on_loop
async def test_reliable_provisionals(tmp_path: Path) -> None:
    text = scenario(
        invited(),
        answer(183, "Require: 100rel", "RSeq: 7", session=True),
        receive("PRACK", RAck=" 7 1 INVITE", CSeq=" 2 PRACK"),
        reply(200),
        answer(180, "Require: 100rel", "RSeq: 8"),
        receive("PRACK", RAck=" 8 1 INVITE", CSeq=" 3 PRACK"),
        reply(200),
        answer(200, session=True),
        receive("ACK", CSeq="1 ACK"),
        receive("BYE", CSeq=" 4 BYE"),
        reply(200),
    )
    status, said, ladder = await run(tmp_path, text, call())
    assert status == 0, said
    assert ladder.count("alice sends PRACK") == 2


@on_loop
async def test_re_invite(tmp_path: Path) -> None:
    text = scenario(
        *ANSWERED,
        receive("INVITE", CSeq=" 2 INVITE", Content_Type="application/sdp"),
        reply(200, session=True, retrans=True),
        receive("ACK", CSeq=" 2 ACK"),
        *HUNG_UP,
    )
    status, said, _ = await run(tmp_path, text, call(Request("INVITE"), Wait(0.2), HangUp()))
    assert status == 0, said


@on_loop
async def test_refer_and_its_notify(tmp_path: Path) -> None:
    text = scenario(
        *ANSWERED,
        receive("REFER", Refer_To="sip:carol@x.test", Contact="sip:"),
        reply(202),
        ask("NOTIFY", "Event: refer", "Subscription-State: terminated;reason=noresource"),
        accepted(200),
        *HUNG_UP,
    )
    refer = Request("REFER", (("Refer-To", "<sip:carol@x.test>"),))
    status, said, ladder = await run(tmp_path, text, call(refer, Wait(0.3), HangUp()))
    assert status == 0, said
    assert "alice sends 200 to NOTIFY" in ladder


@on_loop
@pytest.mark.parametrize(("password", "good"), [("secret", True), ("wrong", False)])
async def test_a_challenge_within_the_call(tmp_path: Path, password: str, good: bool) -> None:
    challenge = (
        'WWW-Authenticate: Digest realm="x.test", nonce="47ebe028cda119c35d4877b383027d28da013815", algorithm=MD5'
    )
    text = scenario(
        *ANSWERED, receive("INFO"), reply(401, challenge), only_with("alice", "secret"), reply(200), *HUNG_UP
    )
    status, said, ladder = await run(
        tmp_path, text, call(Request("INFO")), password=password, seconds=15 if good else 3
    )  # fmt: skip
    assert (status == 0) is good, said
    assert ladder.count("alice sends INFO") == 2
    assert ("alice gets 200 to INFO" in ladder) is good
    assert ("alice gets 403 to INFO" in ladder) is not good


@on_loop
async def test_requests_of_the_callee(tmp_path: Path) -> None:
    text = scenario(
        *ANSWERED,
        ask("UPDATE"), accepted(200), ask("INFO", seq=2), accepted(200), ask("OPTIONS", seq=3), accepted(200),
        *HUNG_UP,
    )  # fmt: skip
    status, said, _ = await run(tmp_path, text, call(hang_up=Trigger(delay=0.5)))
    assert status == 0, said


@on_loop
async def test_an_ack_that_never_comes_fails_the_witness(tmp_path: Path) -> None:
    text = scenario(*ANSWERED, *HUNG_UP)
    status, _, ladder = await run(tmp_path, text, call(ack="never", hang_up=Trigger(delay=9)), seconds=3)
    assert status != 0
    assert ladder.count("alice gets 200") >= 3, "sent again for want of its ACK"
    assert "alice sends ACK" not in ladder


@on_loop
async def test_a_prack_that_never_comes_fails_the_witness(tmp_path: Path) -> None:
    text = scenario(invited(), answer(183, "Require: 100rel", "RSeq: 7"), receive("PRACK"), reply(200), answer(486))
    status, _, ladder = await run(tmp_path, text, call(prack="never"), seconds=2)
    assert status != 0
    assert "alice gets 183" in ladder
    assert "alice sends PRACK" not in ladder
