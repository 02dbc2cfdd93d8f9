"""The topmost Via: read, completed with the source, and followed back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip_harness.sip.errors import SipError
from sip_harness.sip.values import MAX_PARAMS
from sip_harness.sip.via import SentBy, Via, parse_via, read_via, response_address, sent_by, with_source


@pytest.mark.parametrize(
    ("via", "expected"),
    [
        ("SIP/2.0/UDP 192.0.2.1:5070;branch=z", SentBy("UDP", "192.0.2.1", 5070)),
        ("SIP/2.0/udp Host.Test", SentBy("UDP", "host.test", 5060)),
        ("SIP / 2.0 / TCP  host : 5061 ;x", SentBy("TCP", "host", 5061)),
        ("SIP/2.0/TLS host", SentBy("TLS", "host", 5061)),
        ("SIP/2.0/UDP [2001:db8::1]:5070", SentBy("UDP", "[2001:db8::1]", 5070)),
        ("SIP/2.0/TLS-SCTP host", SentBy("TLS-SCTP", "host", 5061)),
        ("SIP/2.0/WSS df7jal23ls0d.invalid;branch=z", SentBy("WSS", "df7jal23ls0d.invalid", 5061)),
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


def test_all_of_a_via() -> None:
    via = read_via(' SIP / 2.0 / udp Host.Test : 5070 ; Branch=z9;rport;ttl=16;maddr=224.2.0.1;received="::1"; x = y')
    assert (via.protocol, via.version, via.transport, via.host, via.port) == ("SIP", "2.0", "UDP", "host.test", 5070)
    assert (via.branch, via.rport, via.received, via.param("ttl"), via.param("x")) == ("z9", 0, "::1", "16", "y")
    assert (via.param("maddr"), via.param("none")) == ("224.2.0.1", None)


@pytest.mark.parametrize(
    ("params", "rport"),
    [("", None), (";rport", 0), (";rport=5070", 5070), (";rport=x", 0), (";rport=999999", 0), (";rport=\u0663", 0)],
)
def test_the_port_that_a_server_saw(params: str, rport: int | None) -> None:
    assert read_via(f"SIP/2.0/UDP h{params}").rport == rport


def test_ipv6_with_and_without_port() -> None:
    assert read_via("SIP/2.0/UDP [2001:DB8::9:1];received=[2001:db8::9:255]") == Via(
        "SIP",
        "2.0",
        "UDP",
        "[2001:db8::9:1]",
        None,
        (("received", "[2001:db8::9:255]"),),
        ";received=[2001:db8::9:255]",
    )
    assert read_via("SIP/2.0/TLS [::1]:5061").port == 5061
    assert read_via("SIP/2.0/TLS [::1]").sent_by == SentBy("TLS", "[::1]", 5061)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SIP/2.0/UDP",
        "SIP/2.0 UDP h",
        "SIP/2.0/UDP h x",
        "SIP/2.0/UDP h:0",
        "SIP/2.0/UDP h:65536",
        "SIP/2.0/UDP h:123456",
        "SIP/2.0/UDP 2001:db8::1",
        "SIP/2.0/UDP [::1",
        "SIP/2.0/UDP ;branch=1",
        "SIP/2.0/UDPhost",
        ";",
        "SIP/2.0/UDP h,",
        "SIP/2.0/UDP h" + ";p" * (MAX_PARAMS + 1),
        "SIP/2.0/UDP " + "h" * 20_000,
    ],
)
def test_no_via(text: str) -> None:
    with pytest.raises(SipError):
        read_via(text)


@settings(deadline=None)
@given(st.text(st.sampled_from('SIP/2.0 UDPh:;,=[]"\t'), max_size=50), st.text(max_size=20))
def test_any_text_is_read_or_refused_and_the_readers_agree(one: str, two: str) -> None:
    for text in (one, f"SIP/2.0/UDP {one}", f"SIP/2.0/UDP h:5060;{one}{two}"):
        with_source(text, "192.0.2.1", 5060)
        response_address(text, "192.0.2.1", 5060)
        short = parse_via(text)
        try:
            via = read_via(text)
        except SipError:
            continue
        assert short == (via.sent_by if via.protocol.upper() == "SIP" else None)
