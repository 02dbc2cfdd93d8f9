"""A call that a device hands back: what goes out, what comes back, and what a caller who gives up does to it."""

from __future__ import annotations

from bench_desk import Desk
from on_loop import in_virtual_time

from sip_harness.endpoint.returned import Returned
from sip_harness.sip.message import Message, build


class Round:
    """A desk that has handed its call back; the bench plays the system on both sides."""

    def __init__(self, *headers: tuple[str, str]) -> None:
        self.desk = Desk()
        self.invite = self.desk.invite(("Route", "<sip:elsewhere;lr>"), *headers)
        self.returned = Returned(self.desk.bench.ua, self.desk.call)
        self.out = self.take()

    def take(self) -> Message:
        return self.desk.bench.take().message

    def answer(self, code: int) -> None:
        """As the system does: To with a tag of whoever answers."""
        kept = [(f.name, f.value) for f in self.out.fields if f.key in ("via", "from", "call-id", "cseq")]
        to = f"{self.out.get('to')};tag=far"
        self.desk.bench.feed(build(f"SIP/2.0 {code} Words", [*kept, ("To", to), ("Content-Length", "0")]))


@in_virtual_time
async def test_it_goes_to_what_was_dialled_with_a_via_on_top_and_one_hop_less() -> None:
    turn = Round(("Max-Forwards", "7"))
    assert turn.out.start == "INVITE sip:alice@a.test SIP/2.0"
    assert turn.out.all("via")[1:] == turn.invite.all("via")
    assert turn.out.branch != turn.invite.branch
    assert (turn.out.get("max-forwards"), turn.out.get("route")) == ("6", None)
    assert (turn.out.call_id, turn.out.cseq, turn.out.body) == (turn.invite.call_id, turn.invite.cseq, turn.invite.body)


@in_virtual_time
async def test_responses_go_back_as_they_came_without_that_via() -> None:
    turn = Round()
    turn.answer(100)
    assert turn.desk.bench.is_quiet()
    turn.answer(180)
    ringing = turn.take()
    assert (ringing.code, ringing.all("via"), ringing.to_tag) == (180, turn.invite.all("via"), "far")
    turn.answer(482)
    passed = [turn.take(), turn.take()]
    assert sorted((m.method, m.code) for m in passed) == [("", 482), ("ACK", 0)]
    assert turn.desk.call.final == 482


@in_virtual_time
async def test_a_caller_who_gives_up_ends_the_way_back_too() -> None:
    turn = Round()
    turn.answer(180)
    turn.take()
    turn.returned.cancel()
    cancel = turn.take()
    assert (cancel.method, cancel.branch) == ("CANCEL", turn.out.branch)
    turn.returned.cancel()
    assert turn.desk.bench.is_quiet()


@in_virtual_time
async def test_nothing_that_has_said_nothing_is_cancelled() -> None:
    turn = Round()
    turn.returned.cancel()
    assert turn.desk.bench.is_quiet()
