"""Registrations, in virtual time against a scripted registrar."""

from __future__ import annotations

import pytest
from on_loop import in_virtual_time
from ua_bench import PEER, Bench

from sip_harness.endpoint.registration import (
    MAX_EXPIRES,
    MAX_MOVES,
    RETRY,
    Outcome,
    Refused,
    Registered,
    Registration,
    granted,
)
from sip_harness.sip.message import Message, build, parse

CHALLENGE = 'Digest realm="a.test", nonce="n1", qop="auth"'
MINE = "<sip:alice-c@192.0.2.1:5070>"


class Line:
    """A registration on a bench."""

    def __init__(self, expires: int = 60, password: str = "", *, refreshes: bool = True) -> None:
        self.bench = Bench(password=password)
        self.outcomes: list[Outcome] = []
        self.unregistered = 0
        self.registration = Registration(
            self.bench.ua, self.bench.hop, "sip:a.test", expires, self.outcomes.append, refreshes=refreshes
        )
        self.registration.register()

    def take(self) -> Message:
        return self.bench.take().message

    def grant(self, request: Message, expires: int = 60) -> None:
        self.bench.answer(request, 200, ("Contact", f"{MINE};expires={expires}"))

    def unregister(self) -> None:
        def over() -> None:
            self.unregistered += 1

        self.registration.unregister(over)


@in_virtual_time
async def test_the_register() -> None:
    line = Line(expires=90)
    sent = line.bench.take()
    assert (sent.origin, sent.remote) == ("protocol", PEER)
    m = sent.message
    assert m.start == "REGISTER sip:a.test SIP/2.0"
    assert m.get("to") == "<sip:alice@a.test>"
    assert m.get("from") == f"<sip:alice@a.test>;tag={m.from_tag}"
    assert (m.get("contact"), m.get("expires"), m.cseq) == (MINE, "90", (1, "REGISTER"))
    assert m.call_id.startswith("tok7-")


@in_virtual_time
async def test_without_refreshes_it_runs_out() -> None:
    line = Line(expires=60, refreshes=False)
    line.grant(line.take(), 40)
    await line.bench.advance(100)
    assert line.bench.is_quiet()


@in_virtual_time
async def test_it_is_refreshed_at_half_of_the_granted_time() -> None:
    line = Line(expires=60)
    first = line.take()
    line.grant(first, 40)
    assert line.outcomes == [Registered(40)]
    await line.bench.advance(19.9)
    assert line.bench.is_quiet()
    await line.bench.advance(0.2)
    again = line.take()
    assert (again.call_id, again.from_tag, again.cseq[0]) == (first.call_id, first.from_tag, 2)
    assert again.get("expires") == "60"
    line.grant(again, 100)
    await line.bench.advance(50.1)
    assert line.take().cseq[0] == 3


@in_virtual_time
async def test_a_challenge_is_answered() -> None:
    line = Line(password="pw")
    first = line.take()
    line.bench.answer(first, 401, ("WWW-Authenticate", CHALLENGE))
    again = line.take()
    assert again.cseq[0] == 2
    assert again.call_id == first.call_id
    assert 'uri="sip:a.test"' in (again.get("authorization") or "")
    line.grant(again)
    assert line.outcomes == [Registered(60)]


@in_virtual_time
@pytest.mark.parametrize("code", [401, 403, 404, 500])
async def test_a_refusal_is_told(code: int) -> None:
    line = Line()
    line.bench.answer(line.take(), code)
    assert line.outcomes == [Refused(code, "Word")]
    await line.bench.advance(1000)
    assert line.bench.is_quiet()


@in_virtual_time
async def test_no_answer() -> None:
    line = Line()
    await line.bench.advance(33)
    assert line.outcomes == [Refused(0, "timeout")]


@in_virtual_time
async def test_too_brief() -> None:
    line = Line(expires=60)
    line.bench.answer(line.take(), 423, ("Min-Expires", "300"))
    again = line.take()
    assert (again.get("expires"), again.cseq[0]) == ("300", 2)
    line.grant(again, 300)
    assert line.outcomes == [Registered(300)]


@in_virtual_time
@pytest.mark.parametrize("least", ["60", "10", "", "soon", "-1", str(MAX_EXPIRES + 1), "9" * 30])
async def test_too_brief_without_sense(least: str) -> None:
    line = Line(expires=60)
    line.bench.answer(line.take(), 423, ("Min-Expires", least))
    assert line.outcomes == [Refused(423, "Word")]
    assert line.bench.is_quiet()


@in_virtual_time
async def test_too_brief_again_and_again() -> None:
    line = Line(expires=60)
    line.bench.answer(line.take(), 423, ("Min-Expires", "100"))
    line.bench.answer(line.take(), 423, ("Min-Expires", "200"))
    assert line.outcomes == [Refused(423, "Word")]


@in_virtual_time
async def test_a_200_that_does_not_list_the_contact_is_a_refusal() -> None:
    line = Line()
    line.bench.answer(line.take(), 200, ("Contact", "<sip:other@192.0.2.5>;expires=60"))
    assert isinstance(line.outcomes[0], Refused)


@in_virtual_time
async def test_taking_it_back() -> None:
    line = Line()
    line.grant(line.take())
    line.unregister()
    last = line.take()
    assert (last.get("expires"), last.get("contact"), last.cseq[0]) == ("0", MINE, 2)
    assert line.unregistered == 0
    line.bench.answer(last, 200)
    assert line.unregistered == 1
    await line.bench.advance(1000)
    assert line.bench.is_quiet()
    assert len(line.outcomes) == 1


@in_virtual_time
async def test_taking_it_back_from_a_dead_registrar() -> None:
    line = Line()
    line.grant(line.take())
    line.unregister()
    await line.bench.advance(33)
    assert line.unregistered == 1


@in_virtual_time
async def test_taking_back_what_never_was() -> None:
    line = Line()
    line.unregister()
    assert line.unregistered == 1
    line.bench.answer(line.take(), 403)
    assert line.bench.is_quiet()


@in_virtual_time
async def test_a_refresh_that_is_refused_is_told() -> None:
    line = Line()
    line.grant(line.take(), 10)
    await line.bench.advance(5.1)
    line.bench.answer(line.take(), 403)
    assert line.outcomes == [Registered(10), Refused(403, "Word")]


OUTSIDE = "<sip:alice-c@203.0.113.7:40000>"


@in_virtual_time
async def test_who_is_seen_elsewhere_is_registered_there() -> None:
    line = Line()
    first = line.take()
    line.bench.ua.seen = ("203.0.113.7", 40000)
    line.grant(first)
    assert line.outcomes == [], "nobody may call until it can be reached"
    again = line.take()
    assert again.all("contact") == [OUTSIDE, f"{MINE};expires=0"]
    assert again.call_id == first.call_id
    line.bench.answer(again, 200, ("Contact", f"{OUTSIDE};expires=60"))
    assert line.outcomes == [Registered(60)]
    line.unregister()
    assert line.take().all("contact") == [OUTSIDE]


@in_virtual_time
async def test_what_a_challenge_has_shown_counts_already() -> None:
    line = Line(password="pw")
    first = line.take()
    line.bench.ua.seen = ("203.0.113.7", 40000)
    line.bench.answer(first, 401, ("WWW-Authenticate", CHALLENGE))
    again = line.take()
    assert again.all("contact") == [OUTSIDE]
    line.bench.answer(again, 200, ("Contact", f"{OUTSIDE};expires=60"))
    assert line.outcomes == [Registered(60)]


@in_virtual_time
async def test_a_nat_that_shows_another_port_each_time_is_followed_so_far_only() -> None:
    line = Line()
    for port in range(MAX_MOVES):
        request = line.take()
        line.bench.ua.seen = ("203.0.113.7", 40000 + port)
        line.grant(request)
    last = line.take()
    line.bench.ua.seen = ("203.0.113.7", 50000)
    line.grant(last)
    assert line.outcomes == [Registered(60)]
    assert line.bench.is_quiet()


@in_virtual_time
async def test_a_refresh_that_fails_is_tried_again_ever_more_slowly() -> None:
    line = Line()
    line.grant(line.take(), 10)
    await line.bench.advance(5.1)
    for pause in (RETRY, 2 * RETRY, 4 * RETRY):
        line.bench.answer(line.take(), 503)
        await line.bench.advance(pause - 0.1)
        assert line.bench.is_quiet()
        await line.bench.advance(0.2)
    line.grant(line.take(), 100)
    assert [type(outcome) for outcome in line.outcomes] == [Registered, Refused, Refused, Refused, Registered]
    await line.bench.advance(49)
    assert line.bench.is_quiet()


@in_virtual_time
async def test_a_lost_connection_is_made_anew_at_once_but_not_over_and_over() -> None:
    line = Line()
    line.registration.recover()
    assert line.take().cseq[0] == 1, "what is not registered yet has nothing to recover"
    assert line.bench.is_quiet()
    line = Line()
    line.grant(line.take())
    line.registration.recover()
    line.grant(line.take())
    line.registration.recover()
    assert line.bench.is_quiet()
    await line.bench.advance(RETRY + 0.1)
    line.grant(line.take())


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("Contact", f"{MINE};expires=30")], 30),
        ([("Contact", f"<sip:x@h>;expires=9, {MINE};q=0.5;Expires=30")], 30),
        ([("Contact", "<sip:x@h>;expires=9"), ("m", f"{MINE};expires=30")], 30),
        ([("Contact", MINE), ("Expires", "45")], 45),
        ([("Contact", "<sip:alice-c@203.0.113.7:1024>;expires=30")], 30),
        ([("Contact", MINE)], 77),
        ([("Contact", f"{MINE};expires=junk"), ("Expires", "junk")], 77),
        ([("Contact", f"{MINE};expires=0")], 0),
        ([("Contact", f"{MINE};expires=99999999999")], 77),
        ([("Contact", "*"), ("Contact", "<tel:+49>"), ("Contact", "")], 0),
        ([], 0),
    ],
)
def test_what_is_granted(headers: list[tuple[str, str]], expected: int) -> None:
    assert granted(parse(build("SIP/2.0 200 OK", headers)), MINE, 77) == expected
