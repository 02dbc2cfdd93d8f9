"""The torture messages of RFC 4475, every one of them: what is read, what is refused, what is found wrong.

A fault is what a strict element may answer with 400 (or drop, for a response); reading goes on all the same, because
a tester wants to see the rest. Names and sections are those of the RFC.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sip_harness.sip.address import Address
from sip_harness.sip.errors import SipError
from sip_harness.sip.framing import Framer, FramingError
from sip_harness.sip.headers import (
    address,
    contacts,
    listed,
    max_forwards,
    media_type,
    record_routes,
    routes,
    seconds,
    vias,
)
from sip_harness.sip.message import MalformedMessage, Message, parse
from sip_harness.sip.uri import OtherUri, Uri, parse_uri, read_uri, unescape
from sip_harness.sip.via import Via

DIRECTORY = Path(__file__).parent / "rfc4475"


def raw(name: str) -> bytes:
    return (DIRECTORY / f"{name}.dat").read_bytes()


def read(name: str) -> Message:
    message = parse(raw(name))
    assert message.data == raw(name)
    return message


def valid(name: str) -> Message:
    """A message in which nothing may be found wrong."""
    message = read(name)
    assert message.faults == ()
    return message


def uri_of(one: Address) -> Uri:
    parsed = one.parsed()
    assert isinstance(parsed, Uri)
    return parsed


def refused_by_stream(name: str) -> str:
    with pytest.raises(FramingError) as caught:
        Framer().feed(raw(name))
    assert caught.value.read == ()
    return caught.value.why


def test_every_message_of_the_rfc_has_its_test() -> None:
    names = {path.stem for path in DIRECTORY.glob("*.dat")}
    tests = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert len(names) == 49
    assert names <= tests


# 3.1.1 Valid messages


def test_wsinv() -> None:
    """3.1.1.1: folding, white space, compact forms, lists and repeated fields, odd case, unknown headers."""
    m = valid("wsinv")
    assert (m.method, m.uri) == ("INVITE", "sip:vivekg@chair-dnrc.example.com;unknownparam")
    assert parse_uri(m.uri).has("unknownparam")
    to, sender = address(m, "to"), address(m, "from")
    assert (to.uri, to.tag, m.to_tag) == ("sip:vivekg@chair-dnrc.example.com", "1918181833n", "1918181833n")
    assert (sender.display, sender.uri, m.from_tag) == ('J Rosenberg \\"', "sip:jdrosen@example.com", "98asjd8")
    assert (m.cseq, m.call_id, max_forwards(m)) == ((9, "INVITE"), "wsinv.ndaksdj@192.0.2.1", 68)
    assert [(v.transport, v.host, v.branch) for v in vias(m)] == [
        ("UDP", "192.0.2.2", "390skdjuw"),
        ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
        ("UDP", "192.168.255.111", "z9hG4bK30239"),
    ]
    assert m.branch == "390skdjuw"
    assert m.get("subject") == ""
    assert m.get("NewFangledHeader") == "newfangled value continued newfangled value"
    assert m.get("UnknownHeaderWithUnusualValue") == ";;,,;;,;"
    (route,) = routes(m)
    assert uri_of(route).params == (("lr", ""), ("unknownwith", "value"), ("unknown-no-value", ""))
    (contact,) = contacts(m)
    assert (contact.display, contact.q) == ('Quoted string ""', 0.33)
    assert (contact.param("newparam"), contact.param("secondparam")) == ("newvalue", "")
    assert (m.content_length, len(m.body), m.surplus) == (150, 150, b"")


def test_intmeth() -> None:
    """3.1.1.2: every character that may stand in a method, user part, tag, branch, Call-ID and header name."""
    m = valid("intmeth")
    assert m.method == m.cseq[1] == "!interesting-Method0123456789_*+`.%indeed'~"
    uri = parse_uri(m.uri)
    assert uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert uri.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
    assert uri.host == "example.com"
    assert m.branch == "z9hG4bK-.!%66*_+`'~"
    to, sender = address(m, "to"), address(m, "from")
    assert to.display == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert uri_of(to).user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert sender.display == "token1~` token2'+_ token3*%!.-"
    assert sender.param("fromparam''~+*_!.-%") == "работающий"
    assert m.from_tag == sender.tag == "_token~1'+`*%!-."
    assert m.call_id == "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"
    assert m.cseq[0] == 139122385
    assert m.get("extensionHeader-!.%*+_`'~") == "\ufeff大停電"


def test_esc01() -> None:
    """3.1.1.3: valid escapes; those of reserved characters must not be undone before the URI is taken apart."""
    m = valid("esc01")
    uri = parse_uri(m.uri)
    assert (uri.user, uri.host) == ("sips%3Auser%40example.com", "example.net")
    assert unescape(uri.user) == "sips:user@example.com"
    assert parse_uri("sip:user@example.com").equivalent(uri_of(address(m, "to")))
    assert unescape(uri_of(address(m, "from")).user) == "I have spaces"
    (contact,) = contacts(m)
    assert uri_of(contact).params == (("%6c%72", ""), ("n%61me", "v%61lue%25%34%31"))
    assert uri_of(contact).equivalent(parse_uri("sip:caller@host5.example.net;lr;name=value%2541"))


def test_escnull() -> None:
    """3.1.1.4: %00 is a character of the user part, not its end."""
    m = valid("escnull")
    assert unescape(uri_of(address(m, "to")).user) == "null-\x00-null"
    one, two = (uri_of(c) for c in contacts(m))
    assert (unescape(one.user), unescape(two.user)) == ("\x00", "\x00\x00")
    assert not one.equivalent(two)
    assert m.content_length == 0


def test_esc02() -> None:
    """3.1.1.5: a percent sign that is no escape: method, display name and header name stay as they are."""
    m = valid("esc02")
    assert m.method == m.cseq[1] == "RE%47IST%45R"
    assert address(m, "to").display == "%Z%45"
    assert [c.uri for c in contacts(m)] == ["sip:alias1@host1.example.com", "sip:alias3@host3.example.com"]
    assert m.get("C%6Fntact") == "<sip:alias2@host2.example.com>"


def test_lwsdisp() -> None:
    """3.1.1.6: no white space between display name and angle bracket."""
    sender = address(valid("lwsdisp"), "from")
    assert (sender.display, sender.uri, sender.tag) == ("caller", "sip:caller@example.com", "323")


def test_longreq() -> None:
    """3.1.1.7: long values, 34 Vias in every spelling."""
    m = valid("longreq")
    to = address(m, "to")
    assert to.display == f"I have a user name of {'extreme' * 10} proportion"
    uri = uri_of(to)
    assert (uri.port, uri.param("unknownparam1")) == (6000, f"very{'long' * 20}value")
    assert uri.has(f"very{'long' * 25}ParameterNameWithNoValue".lower())
    assert address(m, "from").tag == f"12{'982' * 50}424"
    assert m.call_id == f"longreq.one{'really' * 20}longcallid"
    found = vias(m)
    assert [v.host for v in found[:-1]] == [f"sip{n}.example.com" for n in range(33, 0, -1)]
    assert (found[-1].received, found[-1].branch) == ("192.0.2.5", f"very{'long' * 50}branchvalue")
    assert m.branch == ""
    assert len(m.body) == 150


def test_dblreq() -> None:
    """3.1.1.8: octets behind the message in a datagram are to be ignored; on a stream they are the next message."""
    m = valid("dblreq")
    assert (m.method, m.body) == ("REGISTER", b"")
    assert m.surplus.startswith(b"\r\nINVITE sip:joe@example.com SIP/2.0\r\n")
    with pytest.raises(FramingError) as caught:  # the INVITE has 155 octets of body where it declares 150
        Framer().feed(raw("dblreq"))
    first, second = (parse(item) for item in caught.value.read if isinstance(item, bytes))
    assert (first.method, first.surplus) == ("REGISTER", b"")
    assert (second.method, len(second.body)) == ("INVITE", 150)
    assert second.faults == ("no Contact, exactly one is due (RFC 3261 8.1.1.8)",)
    assert caught.value.rest == b"C\r\n\r\n"


def test_semiuri() -> None:
    """3.1.1.9: a semicolon in the user part is no parameter of the URI."""
    m = valid("semiuri")
    uri = parse_uri(m.uri)
    assert (uri.user, uri.host, uri.params) == ("user;par=u%40example.net", "example.com", ())
    assert listed(m, "accept") == (
        "application/sdp", "application/pkcs7-mime", "multipart/mixed", "multipart/signed", "message/sip",
        "message/sipfrag",
    )  # fmt: skip


def test_transports() -> None:
    """3.1.1.10: Vias of known and unknown transports."""
    m = valid("transports")
    assert [v.transport for v in vias(m)] == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]
    assert [v.sent_by.port for v in vias(m)] == [5060, 5060, 5061, 5060, 5060]
    assert m.call_id == "transports.kijh4akdnaqjkwendsasfdj"


def test_mpart01() -> None:
    """3.1.1.11: a multipart body with binary octets, NUL among them."""
    m = valid("mpart01")
    kind, params = media_type(m)
    assert (kind, params) == ("multipart/mixed", (("boundary", "7a9cbec02ceef655"),))
    assert len(m.body) == 553
    assert b"\n" in m.body.replace(b"\r\n", b"")
    parts = m.body.split(b"--7a9cbec02ceef655")
    assert parts[1].endswith(b"\r\n\r\nHello\r\n")
    assert parts[2].partition(b"\r\n\r\n")[2].startswith(b"\x30\x82\x01\x52")
    assert parts[3] == b"--\r\n"


def test_unreason() -> None:
    """3.1.1.12: a reason phrase that is UTF-8."""
    m = valid("unreason")
    assert (m.code, m.reason) == (200, "= 2**3 * 5**2 но сто девяносто девять - простое")
    assert m.summary == "200 = 2**3 * 5**2 но сто девяносто девять - простое"


def test_noreason() -> None:
    """3.1.1.13: an empty reason phrase."""
    m = valid("noreason")
    assert (m.code, m.reason, m.start) == (100, "", "SIP/2.0 100 ")


# 3.1.2 Invalid messages


def test_badinv01() -> None:
    """3.1.2.1: separators too many. To be answered with 400."""
    m = read("badinv01")
    assert m.faults == (
        "parameters of Via cannot be read: ';;'",
        "Via cannot be read: no Via: ';'",
        "parameters of Contact cannot be read: ';;;;'",
    )
    with pytest.raises(SipError):
        vias(m)
    assert [c.uri for c in contacts(m)] == ["sip:joe@example.org"]


def test_clerr() -> None:
    """3.1.2.2: Content-Length larger than the message. In a datagram 400; a stream waits for the rest."""
    m = read("clerr")
    assert m.faults == ("Content-Length is 9999, the body has 154 bytes (RFC 3261 18.3)",)
    assert m.body.startswith(b"v=0\r\n")
    framer = Framer()
    assert framer.feed(raw("clerr")) == []
    assert framer.pending == len(raw("clerr"))


def test_ncl() -> None:
    """3.1.2.3: negative Content-Length. In a datagram 400; a stream cannot be cut any more."""
    m = read("ncl")
    assert m.faults == ("Content-Length is no number: '-999'",)
    assert m.content_length is None
    assert "Content-Length cannot be read" in refused_by_stream("ncl")


def test_scalar02() -> None:
    """3.1.2.4: numbers beyond their range. CSeq and Max-Forwards call for 400; lifetimes are cut to 2**32 - 1."""
    m = read("scalar02")
    assert [fault.partition(" ")[0] for fault in m.faults] == ["CSeq", "Max-Forwards", "Expires", "expires"]
    assert m.cseq == (-1, "")
    assert seconds(m, "expires") == 2**32 - 1
    assert [c.expires for c in contacts(m)] == [2**32 - 1]


def test_scalarlg() -> None:
    """3.1.2.5: numbers beyond their range in a response, which is to be discarded: its CSeq answers no request."""
    m = read("scalarlg")
    assert [fault.partition(" ")[0] for fault in m.faults] == ["To", "CSeq", "Retry-After", "Warning"]
    assert (m.code, m.cseq) == (503, (-1, ""))
    assert seconds(m, "retry-after") == 2**32 - 1


def test_quotbal() -> None:
    """3.1.2.6: a quoted string without its end. To be answered with 400; its end is not guessed."""
    m = read("quotbal")
    assert m.faults == ("To cannot be read: no address: '\"Mr. J. User <sip:j.user@example.com>'",)
    with pytest.raises(SipError):
        address(m, "to")


def test_ltgtruri() -> None:
    """3.1.2.7: Request-URI in angle brackets: 400. They are not taken off."""
    m = read("ltgtruri")
    assert m.uri == "<sip:user@example.com>"
    assert m.faults == ("Request-URI in angle brackets (RFC 3261 7.1)",)
    with pytest.raises(SipError):
        parse_uri(m.uri)


def test_lwsruri() -> None:
    """3.1.2.8: white space within the Request-URI: 400. It is kept, not cut."""
    m = read("lwsruri")
    assert m.uri == "sip:user@example.com; lr"
    assert m.faults == ("white space in the Request-URI (RFC 3261 7.1)",)


def test_lwsstart() -> None:
    """3.1.2.9: two spaces between the parts of the start line: 400, or leniency, as here."""
    m = read("lwsstart")
    assert m.faults == ("not exactly one space between the parts of the start line (RFC 3261 7.1, 7.2)",)
    assert (m.method, m.uri, m.version) == ("INVITE", "sip:user@example.com", "2.0")


def test_trws() -> None:
    """3.1.2.10: spaces behind the version: 400, or leniency, as here."""
    m = read("trws")
    assert m.faults == ("not exactly one space between the parts of the start line (RFC 3261 7.1, 7.2)",)
    assert (m.uri, m.start) == ("sip:remote-target@example.com", "OPTIONS sip:remote-target@example.com SIP/2.0  ")


def test_escruri() -> None:
    """3.1.2.11: a Request-URI with headers in it: 400, or they are passed over. They are never added to a request."""
    m = read("escruri")
    assert m.faults == ("Request-URI with headers of its own (RFC 3261 19.1.1)",)
    assert parse_uri(m.uri).headers == (("route", "%3Csip:example.com%3E"),)
    assert m.get("route") is None


def test_baddate() -> None:
    """3.1.2.12: a Date that is not GMT: 400, or it is passed over, as here."""
    m = read("baddate")
    assert m.faults == (
        "Date is none of the form that ends with GMT: 'Fri, 01 Jan 2010 16:00:00 EST' (RFC 3261 20.17)",
    )


def test_regbadct() -> None:
    """3.1.2.13: a Contact with a question mark outside of angle brackets: 400, as it can be read in two ways."""
    m = read("regbadct")
    assert m.faults == ("Contact has a URI with '?' or ',' outside of angle brackets (RFC 3261 20.10)",)
    (contact,) = contacts(m)
    assert not contact.bracketed


def test_badaspec() -> None:
    """3.1.2.14: spaces within the angle brackets: 400, or leniency, as here."""
    m = read("badaspec")
    assert m.faults == ("white space in the angle brackets of To (RFC 3261 25.1)",)
    assert address(m, "to").uri == "sip:t.watson@example.org"


def test_baddn() -> None:
    """3.1.2.15: display names with commas outside of quotes: 400, or leniency, as here (From and To are no lists)."""
    m = read("baddn")
    assert m.faults == (
        "no empty line after the headers (RFC 3261 7)",
        "display name of From is not in quotes: 'Bell, Alexander' (RFC 3261 25.1)",
        "display name of To is not in quotes: 'Watson, Thomas' (RFC 3261 25.1)",
    )
    assert address(m, "from").uri == "sip:a.g.bell@example.com"
    assert (m.from_tag, m.body) == ("43", b"")


def test_badvers() -> None:
    """3.1.2.16: SIP/7.0: 505, for which its headers must be read."""
    m = read("badvers")
    assert m.faults == ("SIP version '7.0' is not 2.0 (RFC 3261 7.1)", "Via of 'SIP/7.0' (RFC 3261 20.42)")
    assert (m.version, m.branch, m.cseq) == ("7.0", "z9hG4bKkdjuw", (1, "OPTIONS"))


def test_mismatch01() -> None:
    """3.1.2.17: the methods of start line and CSeq differ: 400."""
    m = read("mismatch01")
    assert m.faults == ("CSeq names 'INVITE', the request is 'OPTIONS' (RFC 3261 8.1.1.5)",)


def test_mismatch02() -> None:
    """3.1.2.18: the same with an unknown method: 400, or 501 as for any unknown method."""
    m = read("mismatch02")
    assert m.faults == ("CSeq names 'INVITE', the request is 'NEWMETHOD' (RFC 3261 8.1.1.5)",)
    assert m.method == "NEWMETHOD"


def test_bigcode() -> None:
    """3.1.2.19: a response code larger than 699 is to be dropped; ten digits are no Status-Code at all (25.1)."""
    with pytest.raises(MalformedMessage, match="no SIP start line"):
        parse(raw("bigcode"))
    assert "no start line" in refused_by_stream("bigcode")


# 3.2 Transaction layer semantics


def test_badbranch() -> None:
    """3.2.1: the magic cookie and nothing behind it: no branch that identifies a transaction, 400."""
    m = read("badbranch")
    assert m.faults == ("branch of a Via is the magic cookie alone (RFC 3261 8.1.1.7)",)
    assert m.branch == "z9hG4bK"


# 3.3 Application layer semantics


def test_insuf() -> None:
    """3.3.1: From, To, Call-ID and Max-Forwards are missing: 400."""
    m = read("insuf")
    assert m.faults == (
        "no From (RFC 3261 8.1.1)",
        "no To (RFC 3261 8.1.1)",
        "no Call-ID (RFC 3261 8.1.1)",
        "no Max-Forwards (RFC 3261 8.1.1)",
        "no Contact, exactly one is due (RFC 3261 8.1.1.8)",
    )
    assert (m.call_id, m.from_tag, m.cseq) == ("", "", (193942, "INVITE"))


def test_unkscm() -> None:
    """3.3.2: a Request-URI of an unknown scheme is well formed; 416 is the answer."""
    assert read_uri(valid("unkscm").uri) == OtherUri("nobodyknowsthisscheme", "totallyopaquecontent")


def test_novelsc() -> None:
    """3.3.3: a scheme that is known, of another protocol: well formed, 416."""
    assert read_uri(valid("novelsc").uri) == OtherUri("soap.beep", "//192.0.2.103:3002")


def test_unksm2() -> None:
    """3.3.4: unknown schemes in To, From and Contact: well formed; a registrar answers 400."""
    m = valid("unksm2")
    assert address(m, "to").parsed() == OtherUri("isbn", "2983792873")
    assert address(m, "from").parsed() == OtherUri("http", "//www.example.com")
    assert [c.parsed() for c in contacts(m)] == [OtherUri("name", "John_Smith")]
    assert m.from_tag == "3234233"


def test_bext01() -> None:
    """3.3.5: unknown option tags in Require and Proxy-Require: well formed, 420."""
    m = valid("bext01")
    assert listed(m, "Require") == ("nothingSupportsThis", "nothingSupportsThisEither")
    assert listed(m, "Proxy-Require") == ("noProxiesSupportThis", "norDoAnyProxiesSupportThis")


def test_invut() -> None:
    """3.3.6: an unknown body type: well formed, 415."""
    m = valid("invut")
    assert media_type(m) == ("application/unknownformat", ())
    assert m.body == b'<audio>\r\n <pcmu port="443"/>\r\n</audio>\r\n'


def test_regaut01() -> None:
    """3.3.7: an unknown authorization scheme: well formed, taken as no credentials."""
    assert valid("regaut01").get("authorization") == "NoOneKnowsThisScheme opaque-data=here"


def test_multi01() -> None:
    """3.3.8: headers twice of which there may be one: 400. The views show the first."""
    m = read("multi01")
    assert m.faults == (
        "2 Max-Forwards headers (RFC 3261 7.3.1)",
        "2 CSeq headers (RFC 3261 7.3.1)",
        "2 Call-ID headers (RFC 3261 7.3.1)",
        "2 From headers (RFC 3261 7.3.1)",
        "2 To headers (RFC 3261 7.3.1)",
        "2 Contact, exactly one is due (RFC 3261 8.1.1.8)",
    )
    assert m.all("call-id") == ["multi01.98asdh@192.0.2.1", "multi01.98asdh@192.0.2.2"]
    assert (m.call_id, m.cseq, m.from_tag) == ("multi01.98asdh@192.0.2.1", (5, "INVITE"), "3413415")


def test_mcl01() -> None:
    """3.3.9: two Content-Lengths that differ: 400 for a datagram, the end for a stream. Neither is believed."""
    m = read("mcl01")
    assert m.faults == ("2 Content-Length headers (RFC 3261 7.3.1)",)
    assert m.content_length is None
    assert m.body == b"There's no way to know how many octets are supposed to be here.\r\n\r\n"
    assert refused_by_stream("mcl01") == "Content-Length cannot be read: '13, 5'"


def test_bcast() -> None:
    """3.3.10: a response with a second Via, of a broadcast address: to be discarded; nothing is sent there."""
    m = valid("bcast")
    assert [v.host for v in vias(m)] == ["192.0.2.198", "255.255.255.255"]


def test_zeromf() -> None:
    """3.3.11: Max-Forwards 0: well formed; an endpoint answers as ever, a proxy with 483."""
    assert max_forwards(valid("zeromf")) == 0


def test_cparam01() -> None:
    """3.3.12: outside of angle brackets the parameter is the Contact's."""
    (contact,) = contacts(valid("cparam01"))
    assert contact == Address(
        "", "sip:+19725552222@gw1.example.net", (("unknownparam", ""),), False, False, ";unknownparam"
    )


def test_cparam02() -> None:
    """3.3.13: inside of them it is the URI's."""
    (contact,) = contacts(valid("cparam02"))
    assert contact.params == ()
    assert uri_of(contact).params == (("unknownparam", ""),)


def test_regescrt() -> None:
    """3.3.14: a Contact whose URI carries a header: well formed; it is part of what is registered."""
    (contact,) = contacts(valid("regescrt"))
    assert unescape(dict(uri_of(contact).headers)["route"]) == "<sip:sip.example.com>"


def test_sdp01() -> None:
    """3.3.15: an Accept that leaves no room for SDP: well formed, 406."""
    assert listed(valid("sdp01"), "accept") == ("text/nobodyKnowsThis",)


# 3.4 Backward compatibility


def test_inv2543() -> None:
    """3.4.1: an INVITE of RFC 2543. It is to be accepted; what RFC 3261 made mandatory is missing and named."""
    m = read("inv2543")
    assert m.faults == (
        "no Max-Forwards (RFC 3261 8.1.1)",
        "From without tag (RFC 3261 8.1.1.3)",
        "no Contact, exactly one is due (RFC 3261 8.1.1.8)",
    )
    assert vias(m) == (Via("SIP", "2.0", "UDP", "iftgw.example.com", None),)
    assert (m.branch, m.content_length) == ("", None)
    assert m.body.endswith(b"m=audio 49217 RTP/AVP 0\r\n")
    assert [uri_of(r).param("maddr") for r in record_routes(m)] == ["ss1.example.com"]
    to = address(m, "to")
    assert (to.uri, to.params) == ("sip:+16505552222@ss1.example.net", (("user", "phone"),))
