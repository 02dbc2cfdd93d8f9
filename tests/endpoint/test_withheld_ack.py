"""ACKs that a script holds back: for a time, or for ever."""

from __future__ import annotations

import pytest
from on_loop import in_virtual_time
from outgoing import CHALLENGE, ROUTES, contact, dial

HELD = pytest.mark.parametrize("ack", ["later", "never"])


class TestAnswer:
    @in_virtual_time
    @HELD
    async def test_no_sending_of_the_2xx_is_acknowledged(self, ack: str) -> None:
        bench, owner, invite = dial(ack=ack)
        for _ in range(3):
            bench.answer(invite, 200, contact("desk"))
            await bench.advance(1.0)
        assert bench.is_quiet()
        assert (owner.answered, owner.refused, owner.overs) == (1, 0, 0)

    @in_virtual_time
    async def test_released_it_is_sent_and_from_then_on_every_time(self) -> None:
        bench, owner, invite = dial(ack="later")
        bench.answer(invite, 200, contact("desk"), ROUTES)
        owner.call.acknowledge("script")
        ack = bench.take()
        assert (ack.name, ack.origin, ack.remote) == ("ACK", "script", ("192.0.2.8", 5090))
        assert ack.message.cseq == (1, "ACK")
        assert ack.message.branch != invite.branch
        owner.call.acknowledge("script")
        assert bench.is_quiet()
        bench.answer(invite, 200, contact("desk"), ROUTES)
        again = bench.take()
        assert (again.message.data, again.origin) == (ack.message.data, "protocol")

    @in_virtual_time
    async def test_every_branch_of_a_fork_gets_its_own(self) -> None:
        bench, owner, invite = dial(ack="later")
        bench.answer(invite, 200, contact("one"), tag="t1")
        bench.answer(invite, 200, contact("two"), tag="t2")
        assert [(s.name, s.message.to_tag) for s in bench.take_all()] == [("BYE", "t2")]
        owner.call.acknowledge("script")
        assert sorted(s.message.to_tag for s in bench.take_all() if s.name == "ACK") == ["t1", "t2"]

    @in_virtual_time
    async def test_hanging_up_does_not_wait_for_it(self) -> None:
        bench, owner, invite = dial(ack="never")
        bench.answer(invite, 200, contact("desk"))
        owner.call.hang_up("script")
        bye = bench.take()
        assert bye.name == "BYE"
        bench.answer(bye.message, 200)
        assert owner.overs == 1

    @in_virtual_time
    async def test_a_re_invite_is_acknowledged_all_the_same(self) -> None:
        bench, owner, invite = dial(ack="never")
        bench.answer(invite, 200, contact("desk"))
        again = owner.ask("INVITE")
        bench.answer(again, 200, contact("desk"))
        assert bench.take().message.cseq == (2, "ACK")

    @in_virtual_time
    async def test_the_end_sends_it_first(self) -> None:
        bench, owner, invite = dial(ack="later")
        bench.answer(invite, 200, contact("desk"))
        owner.call.end()
        assert [(s.name, s.origin) for s in bench.take_all()] == [("ACK", "protocol"), ("BYE", "protocol")]

    @in_virtual_time
    async def test_never_is_never_even_at_the_end(self) -> None:
        bench, owner, invite = dial(ack="never")
        bench.answer(invite, 200, contact("desk"))
        owner.call.end()
        assert [s.name for s in bench.take_all()] == ["BYE"]


class TestFailure:
    @in_virtual_time
    @pytest.mark.parametrize("code", [302, 486, 503, 600])
    async def test_never(self, code: int) -> None:
        bench, owner, invite = dial(ack="never")
        for _ in range(3):
            bench.answer(invite, code)
            await bench.advance(1.0)
        assert bench.is_quiet()
        assert (owner.refused, owner.overs) == (0, 1), "nothing more is to come of it"

    @in_virtual_time
    async def test_later(self) -> None:
        bench, owner, invite = dial(("Route", "<sip:192.0.2.7;lr>"), ack="later")
        bench.answer(invite, 486)
        bench.answer(invite, 486)
        assert bench.is_quiet()
        assert (owner.refused, owner.overs) == (1, 0)
        owner.call.acknowledge("script")
        ack = bench.take()
        assert (ack.name, ack.origin, ack.message.branch) == ("ACK", "script", invite.branch)
        assert (ack.message.cseq, ack.message.to_tag) == ((1, "ACK"), "peer")
        assert ack.message.all("route") == ["<sip:192.0.2.7;lr>"]
        assert owner.overs == 1
        bench.answer(invite, 486)
        again = bench.take()
        assert (again.message.data, again.origin) == (ack.message.data, "protocol")

    @in_virtual_time
    async def test_that_to_an_answered_challenge_is_not_held_back(self) -> None:
        bench, owner, invite = dial(ack="never", password="pw")
        bench.answer(invite, 407, ("Proxy-Authenticate", CHALLENGE))
        ack, again = bench.take_all()
        assert (ack.name, ack.origin, ack.message.branch) == ("ACK", "protocol", invite.branch)
        assert again.name == "INVITE"
        bench.answer(again.message, 486)
        assert bench.is_quiet()
        assert owner.overs == 1

    @in_virtual_time
    async def test_that_to_a_challenge_without_answer_is(self) -> None:
        bench, owner, invite = dial(ack="never")
        bench.answer(invite, 407, ("Proxy-Authenticate", CHALLENGE))
        assert bench.is_quiet()
        assert owner.overs == 1

    @in_virtual_time
    async def test_a_timeout_waits_for_nothing(self) -> None:
        bench, owner, _ = dial(ack="later")
        await bench.advance(32.1)
        assert (owner.refused, owner.overs) == (0, 1)

    @in_virtual_time
    async def test_the_end_sends_it(self) -> None:
        bench, owner, invite = dial(ack="later")
        bench.answer(invite, 486)
        owner.call.end()
        assert [(s.name, s.origin) for s in bench.take_all()] == [("ACK", "protocol")]
        assert owner.overs == 1

    @in_virtual_time
    async def test_cancelled_and_held_back(self) -> None:
        bench, owner, invite = dial(ack="later")
        bench.answer(invite, 180)
        owner.call.cancel("script")
        bench.answer(bench.take().message, 200)
        bench.answer(invite, 487)
        assert bench.is_quiet()
        assert (owner.refused, owner.overs) == (1, 0)
        owner.call.acknowledge("script")
        assert bench.take().message.branch == invite.branch
        assert owner.overs == 1

    @in_virtual_time
    async def test_a_2xx_that_follows_it_is_ended_all_the_same(self) -> None:
        bench, owner, invite = dial(ack="later")
        bench.answer(invite, 600, tag="t1")
        bench.answer(invite, 200, contact("late"), tag="t2")
        assert [(s.name, s.message.to_tag) for s in bench.take_all()] == [("BYE", "t2")]
        owner.call.acknowledge("script")
        assert [(s.name, s.message.to_tag) for s in bench.take_all()] == [("ACK", "t1"), ("ACK", "t2")]
