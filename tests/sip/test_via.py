"""The topmost Via: read, completed with the source, and followed back."""

from __future__ import annotations

import pytest

from sip_harness.sip.via import SentBy, parse_via, response_address, sent_by, with_source


@pytest.mark.parametrize(
    ("via", "expected"),
    [
        ("SIP/2.0/UDP 192.0.2.1:5070;branch=z", SentBy("UDP", "192.0.2.1", 5070)),
        ("SIP/2.0/udp Host.Test", SentBy("UDP", "host.test", 5060)),
        ("SIP / 2.0 / TCP  host : 5061 ;x", SentBy("TCP", "host", 5061)),
        ("SIP/2.0/TLS host", SentBy("TLS", "host", 5061)),
        ("SIP/2.0/UDP [2001:db8::1]:5070", SentBy("UDP", "[2001:db8::1]", 5070)),
    ],
)
def test_read(via: str, expected: SentBy) -> None:
    assert parse_via(via) == expected


@pytest.mark.parametrize(
    "via", ["", "nonsense", "SIP/2.0/UDP", "SIP/2.0/UDP host:0", "SIP/2.0/UDP host:70000", "SIP/2.0/UDP ;x"]
)
def test_unreadable(via: str) -> None:
    assert parse_via(via) is None
    assert sent_by(via) == via


def test_rport_is_filled_in_and_received_added() -> None:
    told = with_source("SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9", "192.0.2.9", 40000)
    assert told == "SIP/2.0/UDP 10.0.0.1:5060;rport=40000;branch=z9;received=192.0.2.9"


def test_received_is_added_where_the_host_differs() -> None:
    assert with_source("SIP/2.0/UDP host;branch=z9", "192.0.2.9", 1).endswith(";branch=z9;received=192.0.2.9")


def test_nothing_is_added_where_the_client_told_the_truth() -> None:
    via = "SIP/2.0/UDP 192.0.2.9:5060;branch=z9"
    assert with_source(via, "192.0.2.9", 9999) == via


def test_only_the_top_element_is_touched() -> None:
    value = 'SIP/2.0/UDP a;rport;branch=z1, SIP/2.0/UDP b;rport;branch=z2;x="y,z"'
    told = with_source(value, "192.0.2.9", 7)
    assert told == 'SIP/2.0/UDP a;rport=7;branch=z1;received=192.0.2.9, SIP/2.0/UDP b;rport;branch=z2;x="y,z"'


def test_a_received_that_the_client_made_up_is_replaced() -> None:
    told = with_source("SIP/2.0/UDP a;received=198.51.100.1;rport=9;branch=z1", "192.0.2.9", 7)
    assert "198.51.100.1" not in told
    assert ";rport=7;" in told


@pytest.mark.parametrize("value", ["", "rubbish", ",,"])
def test_what_cannot_be_read_is_left_alone(value: str) -> None:
    assert with_source(value, "192.0.2.9", 7) == value


def test_responses_go_to_the_port_that_was_asked_for() -> None:
    assert response_address("SIP/2.0/UDP 10.0.0.1:5070;branch=z", "192.0.2.9", 40000) == ("192.0.2.9", 5070)
    assert response_address("SIP/2.0/UDP 10.0.0.1;branch=z", "192.0.2.9", 40000) == ("192.0.2.9", 5060)
    assert response_address("SIP/2.0/UDP 10.0.0.1:5070;rport;branch=z", "192.0.2.9", 40000) == ("192.0.2.9", 40000)


def test_nobody_can_aim_responses_at_a_third_party() -> None:
    via = "SIP/2.0/UDP 198.51.100.7:5070;maddr=198.51.100.8;received=198.51.100.9"
    assert response_address(via, "192.0.2.9", 40000)[0] == "192.0.2.9"
