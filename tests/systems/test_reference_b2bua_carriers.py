"""The accounts that the embedded PBX has at carriers, on the wire: carriers that a test plays, in virtual time."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from on_loop import in_virtual_time
from udp_phone import Phone, Stage

from sip_harness.language import load_text
from sip_harness.model.system import User
from sip_harness.sip import digest
from sip_harness.sip.digest_response import Response
from sip_harness.sip.message import Message
from sip_harness.systems.base import Lease
from sip_harness.systems.reference.b2bua import ReferenceB2bua
from sip_harness.systems.reference.b2bua_account import MAX_LOOPS
from sip_harness.systems.reference.b2bua_core import Settings

RUN = load_text(
    "title: t\nid: T-1\ncite: RFC 3261 22.2\nneeds: [carrier-accounts]\ntargets: {pstn: {hunt: [g1, g2]}}\n"
    "carriers: {g1: {answer: [503]}, g2: {answer: [ok]}}\n"
    "calls: [{from: alice, to: pstn}]\nexpect: {alice: [200 from g2]}\n",
    "t.sip.yaml",
)
CHALLENGE = 'Digest realm="g1.test", nonce="{}", algorithm={}, qop="auth"'
LEASE = Lease("abc", 7)


@dataclass
class Trunks:
    """Alice, and the carriers of what she dials."""

    alice: Phone
    g1: Phone
    g2: Phone
    dialled: str
    account: User

    def dial(self, *headers: tuple[str, str]) -> Message:
        """An INVITE for the carriers."""
        return self.alice.request("INVITE", self.dialled, headers=headers)

    async def challenge(self, invite: Message, *challenges: str, code: int = 407) -> Message:
        """Ask for credentials, take the ACK, and the INVITE that follows it."""
        await self.refuse(invite, *challenges, code=code)
        return await self.g1.expect("INVITE")

    async def refuse(self, invite: Message, challenge: str, *, code: int = 407) -> None:
        """Ask for credentials and take the ACK."""
        name = "www_authenticate" if code == 401 else "proxy_authenticate"
        self.g1.answer(invite, code, **{name: challenge})
        await self.g1.expect("ACK")

    def proves(self, invite: Message, challenge: str, header: str = "proxy-authorization") -> bool:
        """Whether the INVITE has the credentials of the account for this challenge."""
        [value] = invite.all(header)
        return Response.parse(value).proves(
            digest.Challenge.parse(challenge),
            username=self.account.name,
            password=self.account.password,
            method="INVITE",
            body=invite.body,
        )


Play = Callable[[Trunks], Awaitable[None]]


async def on_trunks(play: Play, *faults: str, settings: Settings | None = None) -> None:
    async with Stage(ReferenceB2bua(settings=settings, faults=faults)) as stage:
        binding = stage.system.bind(RUN, LEASE)
        g1, g2 = stage.phone("g1"), stage.phone("g2")
        for name, carrier in (("g1", g1), ("g2", g2)):
            carrier.move(binding.listens[name])
            carrier.contact = f"sip:{name}@{carrier.host}"
        await stage.system.admit(RUN, LEASE, binding)
        await play(Trunks(stage.phone("alice"), g1, g2, binding.uris["pstn"], binding.users["g1"]))


def asking(nonce: str, algorithm: str = "MD5", more: str = "") -> str:
    return CHALLENGE.format(nonce, algorithm) + more


@in_virtual_time
@pytest.mark.parametrize(("code", "header"), [(401, "authorization"), (407, "proxy-authorization")])
async def test_a_challenge_is_answered_within_the_same_call(code: int, header: str) -> None:
    async def play(trunks: Trunks) -> None:
        alice, g1 = trunks.alice, trunks.g1
        trunks.dial(("Proxy-Authorization", 'Digest username="alice", realm="pbx", nonce="n", uri="x", response="0"'))
        first = await g1.expect("INVITE")
        assert (first.all("authorization"), first.all("proxy-authorization")) == ([], [])
        second = await trunks.challenge(first, asking("n1"), code=code)
        assert trunks.proves(second, asking("n1"), header)
        assert (second.call_id, second.from_tag, second.cseq[0]) == (first.call_id, first.from_tag, first.cseq[0] + 1)
        assert second.branch != first.branch
        g1.answer(second, 200)
        assert (await g1.expect("ACK")).cseq == (second.cseq[0], "ACK")
        await alice.expect(200)
        await trunks.g2.quiet()

    await on_trunks(play)


@in_virtual_time
async def test_credentials_that_are_refused_are_not_given_again() -> None:
    async def play(trunks: Trunks) -> None:
        trunks.dial()
        second = await trunks.challenge(await trunks.g1.expect("INVITE"), asking("n1"))
        await trunks.refuse(second, asking("n2"))
        await trunks.g2.decline(await trunks.g2.expect("INVITE"), 486)
        await trunks.alice.expect(486)
        await trunks.g1.quiet()

    await on_trunks(play)


@in_virtual_time
async def test_the_caller_hears_of_a_failure_and_of_no_challenge_where_no_carrier_is_left() -> None:
    async def play(trunks: Trunks) -> None:
        trunks.dial()
        second = await trunks.challenge(await trunks.g1.expect("INVITE"), asking("n1"))
        await trunks.refuse(second, asking("n2"))
        told = await trunks.alice.expect(500)
        assert told.all("proxy-authenticate") == []
        await trunks.g2.quiet()

    await on_trunks(play, settings=Settings(failover=frozenset({503})))


@in_virtual_time
async def test_a_challenge_that_cannot_be_answered_is_a_failure() -> None:
    async def play(trunks: Trunks) -> None:
        trunks.dial()
        await trunks.refuse(await trunks.g1.expect("INVITE"), asking("n1", "MD4"))
        trunks.g2.answer(await trunks.g2.expect("INVITE"), 200)
        await trunks.alice.expect(200)

    await on_trunks(play)


@in_virtual_time
@pytest.mark.parametrize("fault", ["", "takes-stale-for-refused"])
async def test_a_stale_nonce_is_no_refusal(fault: str) -> None:
    async def play(trunks: Trunks) -> None:
        trunks.dial()
        second = await trunks.challenge(await trunks.g1.expect("INVITE"), asking("n1"))
        await trunks.refuse(second, asking("n2", more=", stale=true"))
        if fault:
            await trunks.g2.expect("INVITE")
            return
        third = await trunks.g1.expect("INVITE")
        assert trunks.proves(third, asking("n2"))
        assert third.cseq[0] == second.cseq[0] + 1
        await trunks.refuse(third, asking("n3", more=", stale=true"))  # once, not for ever
        await trunks.g2.expect("INVITE")
        await trunks.g1.quiet()

    await on_trunks(play, *filter(None, [fault]))


@in_virtual_time
@pytest.mark.parametrize(("fault", "algorithm"), [("", "SHA-256"), ("answers-last-challenge", "MD5")])
async def test_the_first_of_several_challenges_is_answered(fault: str, algorithm: str) -> None:
    async def play(trunks: Trunks) -> None:
        trunks.dial()
        both = f"{asking('n1', 'SHA-256')}\r\nProxy-Authenticate: {asking('n2')}"
        second = await trunks.challenge(await trunks.g1.expect("INVITE"), both)
        [value] = second.all("proxy-authorization")
        assert re.findall(r"algorithm=([^,]*)", value) == [algorithm]
        assert trunks.proves(second, asking("n2" if fault else "n1", algorithm))

    await on_trunks(play, *filter(None, [fault]))


@in_virtual_time
async def test_a_loop_of_challenges_is_bounded_even_under_its_fault() -> None:
    async def play(trunks: Trunks) -> None:
        trunks.dial()
        invite = await trunks.g1.expect("INVITE")
        for number in range(MAX_LOOPS):
            asked = asking(f"n{number}")
            invite = await trunks.challenge(invite, asked)
            assert trunks.proves(invite, asked)
        await trunks.refuse(invite, asking("last"))
        await trunks.g2.expect("INVITE")
        await trunks.g1.quiet()

    await on_trunks(play, "answers-challenge-for-ever")


@in_virtual_time
async def test_a_challenge_that_leaks() -> None:
    async def play(trunks: Trunks) -> None:
        trunks.dial()
        await trunks.refuse(await trunks.g1.expect("INVITE"), asking("n1"))
        told = await trunks.alice.expect(407)
        assert told.all("proxy-authenticate") == [asking("n1")]
        await trunks.g1.quiet()
        await trunks.g2.quiet()

    await on_trunks(play, "leaks-challenge")


@in_virtual_time
async def test_a_retry_that_counts_no_further() -> None:
    async def play(trunks: Trunks) -> None:
        trunks.dial()
        first = await trunks.g1.expect("INVITE")
        second = await trunks.challenge(first, asking("n1"))
        assert trunks.proves(second, asking("n1"))
        assert (second.cseq, second.call_id) == (first.cseq, first.call_id)

    await on_trunks(play, "keeps-cseq-on-retry")


@in_virtual_time
async def test_who_has_given_up_answers_no_challenge() -> None:
    async def play(trunks: Trunks) -> None:
        sent = trunks.dial()
        invite = await trunks.g1.expect("INVITE")
        trunks.g1.answer(invite, 180)
        await trunks.alice.expect(180)
        trunks.alice.again("CANCEL", sent)
        assert {(await trunks.alice.receive()).code for _ in range(2)} == {200, 487}
        cancel = await trunks.g1.expect("CANCEL")
        trunks.g1.answer(cancel, 200)
        await trunks.refuse(invite, asking("n1"))
        await trunks.g1.quiet()
        await trunks.g2.quiet()

    await on_trunks(play)


@in_virtual_time
async def test_a_cancel_waits_for_a_word_about_the_retry() -> None:
    """What the carrier has said about the first INVITE says nothing about the second (RFC 3261 9.1)."""

    async def play(trunks: Trunks) -> None:
        sent = trunks.dial()
        second = await trunks.challenge(await trunks.g1.expect("INVITE"), asking("n1"))
        trunks.alice.again("CANCEL", sent)
        assert {(await trunks.alice.receive()).code for _ in range(2)} == {200, 487}
        await trunks.g1.quiet(0.2)
        trunks.g1.answer(second, 100)
        await trunks.g1.cancelled(second)

    await on_trunks(play)


@in_virtual_time
@pytest.mark.parametrize(
    ("code", "fault", "told"),
    [
        (503, "", 0),
        (486, "", 486),
        (603, "", 603),
        (503, "never-fails-over", 503),
        (603, "hunts-on-after-6xx", 0),
        (486, "fails-over-on-486", 0),
    ],
)
async def test_which_failures_move_the_call_on(code: int, fault: str, told: int) -> None:
    async def play(trunks: Trunks) -> None:
        trunks.dial()
        await trunks.g1.decline(await trunks.g1.expect("INVITE"), code)
        if told:
            await trunks.alice.expect(told)
            await trunks.g2.quiet()
        else:
            await trunks.g2.expect("INVITE")

    await on_trunks(play, *filter(None, [fault]))


@in_virtual_time
@pytest.mark.parametrize(("failover", "moves"), [({408}, True), ({503}, False)])
async def test_a_carrier_that_nobody_answers_at_counts_as_408(failover: set[int], moves: bool) -> None:
    async def play(trunks: Trunks) -> None:
        trunks.dial()
        invite = await trunks.g1.expect("INVITE")
        trunks.g1.answer(invite, 180)
        await trunks.alice.expect(180)
        await trunks.g1.cancelled(invite)
        if moves:
            await trunks.g2.expect("INVITE")
        else:
            await trunks.alice.expect(480)
            await trunks.g2.quiet()

    await on_trunks(play, settings=Settings(failover=frozenset(failover)))


@in_virtual_time
async def test_a_carrier_that_asks_for_a_pause_gets_one() -> None:
    async def play(trunks: Trunks) -> None:
        for _ in range(2):
            trunks.dial()
            for phone in (trunks.g1, trunks.g2):
                invite = await phone.expect("INVITE")
                phone.answer(invite, 503, retry_after="9")
                await phone.expect("ACK")
            await trunks.alice.expect(503)
            trunks.dial()
            await trunks.alice.expect(500)  # there are carriers, and none that may be called
            await trunks.g1.quiet(10)

    await on_trunks(play)


@in_virtual_time
@pytest.mark.parametrize(
    ("fault", "pause", "called_again"),
    [
        ("", "", True),
        ("bans-after-503", "", False),
        ("ignores-retry-after", "9", True),
    ],
)
async def test_a_carrier_that_is_called_again_or_not(fault: str, pause: str, called_again: bool) -> None:
    async def play(trunks: Trunks) -> None:
        for again in (False, True):
            trunks.dial()
            if not again or called_again:
                trunks.g1.answer(await trunks.g1.expect("INVITE"), 503, **({"retry_after": pause} if pause else {}))
                await trunks.g1.expect("ACK")
            await trunks.g2.decline(await trunks.g2.expect("INVITE"), 486)
            await trunks.alice.expect(486)
        await trunks.g1.quiet()

    await on_trunks(play, *filter(None, [fault]))


@in_virtual_time
@pytest.mark.parametrize("fault", ["", "bans-after-refusal"])
async def test_a_carrier_that_has_refused_one_call_gets_the_next(fault: str) -> None:
    async def play(trunks: Trunks) -> None:
        trunks.dial()
        await trunks.g1.decline(await trunks.g1.expect("INVITE"), 486)
        await trunks.alice.expect(486)
        trunks.dial()
        first = trunks.g2 if fault else trunks.g1
        await first.decline(await first.expect("INVITE"), 480)
        await trunks.alice.expect(480)

    await on_trunks(play, *filter(None, [fault]))


@in_virtual_time
async def test_carriers_that_are_called_all_at_once() -> None:
    async def play(trunks: Trunks) -> None:
        trunks.dial()
        await trunks.g1.expect("INVITE")
        await trunks.g2.expect("INVITE")

    await on_trunks(play, "ignores-q")


async def in_call(trunks: Trunks) -> tuple[Message, Message]:
    """A call with the first carrier: its INVITE, and the 200 that alice got."""
    sent = trunks.dial()
    trunks.g1.answer(await trunks.g1.expect("INVITE"), 200)
    final = await trunks.alice.expect(200)
    await trunks.g1.expect("ACK")
    trunks.alice.again("ACK", sent, to=final.get("to") or "")
    return sent, final


@in_virtual_time
@pytest.mark.parametrize("fault", ["", "leaks-challenge"])
async def test_a_challenge_within_a_call_is_answered_as_well(fault: str) -> None:
    async def play(trunks: Trunks) -> None:
        alice, g1 = trunks.alice, trunks.g1
        sent, final = await in_call(trunks)
        alice.again("INVITE", sent, to=final.get("to") or "", cseq=2)
        first = await g1.expect("INVITE")
        await trunks.refuse(first, asking("n1"))
        if fault:
            await alice.expect(407)
            return
        second = await g1.expect("INVITE")
        assert trunks.proves(second, asking("n1"))
        assert (second.call_id, second.to_tag, second.cseq[0]) == (first.call_id, first.to_tag, first.cseq[0] + 1)
        await trunks.refuse(second, asking("n2"))
        told = await alice.expect(500)
        assert told.all("proxy-authenticate") == []
        alice.again("BYE", sent, to=final.get("to") or "", cseq=3)
        await alice.expect(200)
        g1.answer(await g1.expect("BYE"), 407, proxy_authenticate=asking("n3"))
        assert "n3" in ((await g1.expect("BYE")).get("proxy-authorization") or "")

    await on_trunks(play, *filter(None, [fault]))


@in_virtual_time
async def test_a_re_invite_that_was_cancelled_is_not_tried_again() -> None:
    async def play(trunks: Trunks) -> None:
        alice, g1 = trunks.alice, trunks.g1
        sent, final = await in_call(trunks)
        again = alice.again("INVITE", sent, to=final.get("to") or "", cseq=2)
        first = await g1.expect("INVITE")
        g1.answer(first, 180)
        await alice.expect(180)
        alice.again("CANCEL", again)
        await alice.expect(200)
        g1.answer(await g1.expect("CANCEL"), 200)
        await trunks.refuse(first, asking("n1"))
        await alice.expect(500)
        await g1.quiet()

    await on_trunks(play)


@in_virtual_time
async def test_nothing_is_tried_again_in_a_call_that_is_over() -> None:
    async def play(trunks: Trunks) -> None:
        alice, g1 = trunks.alice, trunks.g1
        sent, final = await in_call(trunks)
        alice.again("INVITE", sent, to=final.get("to") or "", cseq=2)
        first = await g1.expect("INVITE")
        alice.again("BYE", sent, to=final.get("to") or "", cseq=3)
        await alice.expect(200)
        g1.answer(await g1.expect("BYE"), 200)
        await trunks.refuse(first, asking("n1"))
        await g1.quiet()

    await on_trunks(play)
