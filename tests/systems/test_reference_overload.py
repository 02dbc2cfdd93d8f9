"""What a carrier may say about how much less it wants (RFC 7339), and who is not sent to it then."""

from __future__ import annotations

import pytest

from sip_harness.sip.message import Message, parse
from sip_harness.systems.reference.actions import Target
from sip_harness.systems.reference.overload import LONGEST, Throttle
from sip_harness.systems.reference.registrar import Registrar
from sip_harness.systems.reference.router import Router


def saying(params: str, via: str = "SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1") -> Message:
    return parse(f"SIP/2.0 503 Full\r\nVia: {via};{params}, SIP/2.0/UDP c;oc=99\r\nCSeq: 1 INVITE\r\n\r\n".encode())


@pytest.mark.parametrize(
    ("params", "percent", "lasts"),
    [
        ('oc=30;oc-algo="loss";oc-validity=2000', 30, 2.0),
        ("oc=100", 100, 0.5),
        ("oc=0;oc-validity=9", 0, 0.009),
        ("oc=20;oc-validity=99999999999", 20, 0.5),
        ("oc=20;oc-validity=3600000", 20, LONGEST),
        ("oc=20;oc-validity=-1", 20, 0.5),
    ],
)
def test_what_is_asked_for(params: str, percent: int, lasts: float) -> None:
    throttle = Throttle()
    assert throttle.hear(saying(params), 100.0)
    assert (throttle.percent, round(throttle.until - 100, 3)) == (percent, lasts)


@pytest.mark.parametrize(
    "params", ["oc", "oc=101", "oc=-1", "oc=1e1", "oc=\u0663", 'oc=50;oc-algo="rate"', "x=1", "oc=" + "9" * 400]
)
def test_what_means_nothing(params: str) -> None:
    throttle = Throttle()
    assert not throttle.hear(saying(params), 0.0)
    assert throttle == Throttle()


def test_only_our_own_via_counts_and_it_has_to_be_one() -> None:
    assert not Throttle().hear(saying("oc=50", via="nonsense"), 0.0)
    assert not Throttle().hear(parse(b"SIP/2.0 503 Full\r\n\r\n"), 0.0)


def test_an_older_wish_that_comes_later_counts_no_more() -> None:
    throttle = Throttle()
    assert throttle.hear(saying("oc=50;oc-seq=1.9"), 0.0)
    assert not throttle.hear(saying("oc=70;oc-seq=1.3"), 0.0)
    assert throttle.hear(saying("oc=0;oc-seq=1.10"), 0.0)
    assert not throttle.diverts(0.0)


@pytest.mark.parametrize("percent", [0, 1, 20, 50, 75, 99, 100])
def test_as_many_are_diverted_as_was_asked_for_and_for_as_long(percent: int) -> None:
    throttle = Throttle(percent, until=10.0)
    assert sum(throttle.diverts(9.0) for _ in range(100)) == percent
    assert not any(throttle.diverts(10.0) for _ in range(100))


def test_a_wish_is_for_one_carrier_of_one_run_whatever_number_is_called() -> None:
    router = Router(Registrar())
    router.add("one", [Target("sip:one@a", 1.0, "g1"), Target("sip:one@b", 0.5, "g1")])
    router.add("two", [Target("sip:two@c", 1.0, "g1")])
    router.wish("one", ["overlap"])
    assert router.throttle(Target("sip:one234@a", 1.0, "g1"), saying("oc=100"), 0.0)
    assert [t.uri for group in router.groups("one23", 0.1) for t in group] == ["sip:one23@b"]
    assert next(t.uri for group in router.groups("one23", 0.1, urgent=True) for t in group) == "sip:one23@a"
    assert len(router.groups("two", 0.1)) == 1
    assert [t.uri for group in router.groups("one", 0.6) for t in group] == ["sip:one@a", "sip:one@b"]
