"""The table of response codes: complete, unambiguous, and its default headers valid."""

import re
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip_harness.sip import codes
from sip_harness.sip.codes import CODES, NAMES, UnknownCode, default_body, default_headers, lookup, phrase
from sip_harness.sip.digest import Challenge
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import build, parse, split_list

# fmt: off
IANA = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress",
    199: "Early Dialog Terminated", 200: "OK", 202: "Accepted", 204: "No Notification", 300: "Multiple Choices",
    301: "Moved Permanently", 302: "Moved Temporarily", 305: "Use Proxy", 380: "Alternative Service",
    400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 406: "Not Acceptable", 407: "Proxy Authentication Required", 408: "Request Timeout",
    410: "Gone", 412: "Conditional Request Failed", 413: "Request Entity Too Large", 414: "Request-URI Too Long",
    415: "Unsupported Media Type", 416: "Unsupported URI Scheme", 417: "Unknown Resource-Priority",
    420: "Bad Extension", 421: "Extension Required", 422: "Session Interval Too Small", 423: "Interval Too Brief",
    424: "Bad Location Information", 425: "Bad Alert Message", 428: "Use Identity Header",
    429: "Provide Referrer Identity", 430: "Flow Failed", 433: "Anonymity Disallowed", 436: "Bad Identity Info",
    437: "Unsupported Credential", 438: "Invalid Identity Header", 439: "First Hop Lacks Outbound Support",
    440: "Max-Breadth Exceeded", 469: "Bad Info Package", 470: "Consent Needed", 480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops", 484: "Address Incomplete",
    485: "Ambiguous", 486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here", 489: "Bad Event",
    491: "Request Pending", 493: "Undecipherable", 494: "Security Agreement Required", 500: "Server Internal Error",
    501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Server Time-out",
    505: "Version Not Supported", 513: "Message Too Large", 555: "Push Notification Service Not Supported",
    580: "Precondition Failure", 600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere",
    606: "Not Acceptable", 607: "Unwanted", 608: "Rejected",
}
VENDOR_LIST = {
    100, 180, 181, 182, 183, 200, 300, 301, 302, 305, 380, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 413,
    414, 415, 416, 420, 421, 422, 423, 480, 481, 482, 483, 484, 485, 486, 487, 488, 491, 493, 500, 501, 502, 503, 504,
    505, 513, 600, 603, 604, 606,
}
# fmt: on
OBSOLETE = {409, 411}
MADE_UP = {189, 299, 399, 499, 599, 699}
HOST = "192.0.2.7:5070"


def test_table_is_the_registry_the_vendor_list_the_obsolete_and_the_made_up_codes():
    assert set(CODES) == set(IANA) | VENDOR_LIST | OBSOLETE | MADE_UP
    assert list(CODES) == sorted(CODES)


@pytest.mark.parametrize("code", IANA)
def test_registered_phrase(code):
    assert CODES[code].phrase == phrase(code) == IANA[code]
    assert CODES[code].origin == ("deprecated" if code == 202 else "iana")


def test_codes_outside_the_registry_are_marked():
    assert {code for code, row in CODES.items() if row.origin == "obsolete"} == OBSOLETE
    assert {code for code, row in CODES.items() if row.origin == "test"} == MADE_UP
    assert {code for code, row in CODES.items() if row.origin == "unknown"} == set()


def test_no_row_is_written_twice():
    from sip_harness.sip.code_table import ROWS

    assert len(ROWS) == len(CODES)
    assert len(NAMES) == len(CODES) + sum(len(row.variants) for row in CODES.values())


@pytest.mark.parametrize("row", NAMES.values(), ids=list(NAMES))
def test_every_row_says_what_a_row_has_to_say(row):
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", row.name)
    assert 100 <= row.code <= 699
    assert row.family == f"{str(row.code)[0]}xx"
    assert re.search(r"RFC \d|3GPP|ATIS", row.rfc)
    assert row.methods
    assert row.meaning
    assert row.failover in ("yes", "no", "depends", "n/a")
    assert not row.phrase.startswith(str(row.code))


@pytest.mark.parametrize("row", NAMES.values(), ids=list(NAMES))
def test_texts_are_short_single_lines(row):
    for text in (row.phrase, row.rfc, row.methods, row.meaning, row.failover_note, row.quirks, row.proxy, row.q850):
        assert text.isprintable()
        assert text == text.strip()
        assert len(text) < 200


def test_name_is_the_phrase_in_kebab_case_but_where_two_codes_share_one():
    def kebab(text: str) -> str:
        return "-".join(re.findall(r"[a-z]+", text.lower()))

    different = {row.code for row in CODES.values() if row.name != kebab(row.phrase)}
    assert different == {606}
    assert (lookup("not-acceptable").code, lookup("not-acceptable-anywhere").code) == (406, 606)


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("busy-here", 486),
        ("busy-everywhere", 600),
        ("ringing", 180),
        ("ok", 200),
        ("temporarily-unavailable", 480),
        ("call-transaction-does-not-exist", 481),
        ("server-time-out", 504),
        ("Busy-Here", 486),
        ("BUSY-EVERYWHERE", 600),
        ("486", 486),
        pytest.param(486, 486, id="number"),
    ],
)
def test_lookup(word, code):
    assert lookup(word) is CODES[code]


@settings(deadline=None)
@given(st.sampled_from(list(NAMES)))
def test_lookup_gives_back_every_name(name):
    assert lookup(name).name == lookup(name.upper()).name == name


@settings(deadline=None)
@given(st.integers(100, 699))
def test_every_number_of_a_class_is_a_code(code):
    row = lookup(code)
    assert row.code == code
    assert row.family == f"{code // 100}xx"
    assert lookup(str(code)) == row
    assert lookup(row.name) == row
    assert phrase(code)
    assert codes.class_rule(code)


@pytest.mark.parametrize(("code", "like"), [(188, "183"), (250, "200"), (333, "300"), (431, "400"), (666, "600")])
def test_unlisted_code_is_taken_as_its_class(code, like):
    row = lookup(code)
    assert row.origin == "unknown"
    assert row.meaning.endswith(f"taken as {like}")
    assert row.rfc == "RFC 3261 8.1.3.2"
    assert row.phrase == lookup(int(f"{code // 100}99") if code >= 200 else 189).phrase
    assert default_headers(code, HOST) == ()


@pytest.mark.parametrize(
    "word",
    [
        0,
        99,
        700,
        799,
        -486,
        4_294_967_301,
        "",
        " 486",
        "0486",
        "48",
        "4xx",
        "486 Busy Here",
        "busy here",
        "٤٨٦",
        "4.86",
    ],
)
def test_what_is_no_code(word):
    with pytest.raises(UnknownCode) as caught:
        lookup(word)
    assert caught.value.word == word
    assert isinstance(caught.value, SipError)


@pytest.mark.parametrize(
    ("word", "suggested"),
    [
        ("bussy-here", "busy-here"),
        ("busy", "busy-here"),
        ("Busy Here", "busy-here"),
        ("declined", "decline"),
        ("unavailable", "temporarily-unavailable"),
        ("everywhere", "busy-everywhere"),
        ("4866", "486"),
    ],
)
def test_suggestions(word, suggested):
    with pytest.raises(UnknownCode) as caught:
        lookup(word)
    assert suggested in caught.value.suggestions
    assert f"did you mean {caught.value.suggestions[0]}" in str(caught.value)
    for suggestion in caught.value.suggestions:
        assert lookup(suggestion)


def test_no_suggestion_where_nothing_is_near():
    with pytest.raises(UnknownCode) as caught:
        lookup("zzzzzz")
    assert caught.value.suggestions == ()
    assert str(caught.value) == "no response code 'zzzzzz'"


@settings(deadline=None)
@given(st.text(max_size=300) | st.integers())
def test_lookup_raises_nothing_else_and_its_text_can_be_printed(word):
    try:
        code, refusal = lookup(word).code, ""
    except UnknownCode as error:
        code, refusal = 0, str(error)
    assert refusal.isprintable()
    assert len(refusal) < 700
    assert refusal or 100 <= code <= 699


def test_phrase_of_no_code():
    with pytest.raises(UnknownCode):
        phrase(799)


def test_variants():
    assert [v.name for v in CODES[403].variants] == ["insufficient-funds"]
    assert [v.name for v in CODES[603].variants] == ["network-blocked", "carrier-account-inactive"]
    funds = lookup("insufficient-funds")
    assert (funds.code, funds.phrase, funds.failover) == (403, "Insufficient funds", "yes")
    blocked = lookup("network-blocked")
    assert (blocked.code, blocked.phrase, blocked.failover) == (603, "Network Blocked", "no")
    inactive = lookup("carrier-account-inactive")
    assert (inactive.code, inactive.failover) == (603, "yes")
    assert {v.origin for row in CODES.values() for v in row.variants} == {"vendor"}


def test_headers_of_variants_are_their_own():
    assert lookup("decline").default_headers(HOST) == default_headers(603, HOST) == ()
    ((name, value),) = lookup("network-blocked").default_headers(HOST)
    assert name == "Reason"
    assert value.startswith("Q.850;cause=21;")
    assert value.endswith(";location=TN")
    assert lookup("carrier-account-inactive").default_headers(HOST) == (("X-Twilio-Error", "10001"),)


EXPECTED_HEADERS = {
    199: ["Reason"],
    204: ["Expires"],
    300: ["Contact"],
    301: ["Contact"],
    302: ["Contact"],
    305: ["Contact"],
    401: ["WWW-Authenticate"],
    405: ["Allow"],
    407: ["Proxy-Authenticate"],
    415: ["Accept"],
    420: ["Unsupported"],
    421: ["Require"],
    422: ["Min-SE"],
    423: ["Min-Expires"],
    424: ["Geolocation-Error"],
    425: ["AlertMsg-Error"],
    469: ["Recv-Info"],
    489: ["Allow-Events"],
    494: ["Security-Server", "Require"],
    608: ["Call-Info"],
}


@pytest.mark.parametrize("code", CODES)
def test_default_headers_by_code(code):
    assert [name for name, _ in default_headers(code, HOST)] == EXPECTED_HEADERS.get(code, [])


UNCONDITIONAL = re.compile(r"([A-Z][A-Za-z-]+)(?!.*\b(?:if|where|reliably|INVITE)\b)")
BY_THE_STACK = {"To", "SDP", "Contact", "Timestamp"}


@pytest.mark.parametrize("row", CODES.values(), ids=list(map(str, CODES)))
def test_each_header_that_must_come_has_a_default(row):
    due = {found[1] for words in row.must if (found := UNCONDITIONAL.match(words))}
    if row.code >= 300:
        due -= {"SDP"}
    else:
        due -= BY_THE_STACK
    assert due <= {name for name, _ in row.default_headers(HOST)}


TOKEN = r"[-.!%*_+`'~0-9A-Za-z]+"
QUOTED = r'"(?:[^"\\]|\\.)*"'
PARAMS = rf"(?:\s*;\s*{TOKEN}(?:=(?:{TOKEN}|{QUOTED}))?)*"
GRAMMAR = {
    "Reason": rf"{TOKEN}{PARAMS}",  # RFC 3326 2
    "Expires": r"\d+",
    "Contact": rf"<sip:[^<>\s]+>{PARAMS}",
    "Allow": TOKEN,
    "Accept": rf"{TOKEN}/{TOKEN}{PARAMS}",
    "Unsupported": TOKEN,
    "Require": TOKEN,
    "Min-SE": rf"\d+{PARAMS}",  # RFC 4028 5
    "Min-Expires": r"\d+",
    "Geolocation-Error": rf"\d{{3}}{PARAMS}",  # RFC 6442 4.3
    "AlertMsg-Error": rf"\d{{3}}{PARAMS}",  # RFC 8876 5.2
    "Recv-Info": rf"{TOKEN}{PARAMS}",  # RFC 6086 7.2
    "Allow-Events": TOKEN,
    "Security-Server": rf"(?:digest|tls|ipsec-ike|ipsec-man|{TOKEN}){PARAMS}",  # RFC 3329 2.2
    "Call-Info": rf"<https://[^<>\s]+>{PARAMS}",
    "X-Twilio-Error": r"\d+",
}


@pytest.mark.parametrize("host", ["127.0.0.1", HOST, "[::1]", "[2001:db8::1]:5061", "carrier.example"])
@pytest.mark.parametrize("row", [r for r in NAMES.values() if r.adds], ids=lambda r: r.name)
def test_default_values_are_valid(row, host):
    for name, value in row.default_headers(host):
        assert "{" not in value
        if name.endswith("Authenticate"):
            assert not Challenge.parse(value).unsupported
            continue
        for element in split_list(value):
            assert re.fullmatch(GRAMMAR[name], element), element


@pytest.mark.parametrize("row", [r for r in NAMES.values() if r.adds], ids=lambda r: r.name)
def test_default_headers_survive_the_wire(row):
    always = [("Via", "SIP/2.0/UDP h;branch=z9hG4bKone"), ("From", "<sip:a@h>;tag=1"), ("To", "<sip:b@h>;tag=2")]
    always += [("Call-ID", "c@h"), ("CSeq", "1 OPTIONS")]
    headers = list(row.default_headers(HOST))
    message = parse(build(f"SIP/2.0 {row.code} {row.phrase}", headers + always))
    assert not message.faults
    assert [(f.name, f.value) for f in message.fields][: len(headers)] == headers


def test_values_that_a_receiver_computes_with():
    assert int(dict(default_headers(422, HOST))["Min-SE"]) >= 90  # RFC 4028 5
    assert 0 < int(dict(default_headers(423, HOST))["Min-Expires"]) <= 3600  # RFC 3261 10.3 step 7
    assert "INVITE" not in dict(default_headers(405, HOST))["Allow"]


@pytest.mark.parametrize(
    ("host", "uri", "realm"),
    [
        ("127.0.0.1", "sip:moved@127.0.0.1", "127.0.0.1"),
        ("127.0.0.1:5070", "sip:moved@127.0.0.1:5070", "127.0.0.1"),
        ("[::1]:5070", "sip:moved@[::1]:5070", "[::1]"),
        ("[::1]", "sip:moved@[::1]", "[::1]"),
    ],
)
def test_the_responder_stands_where_a_host_is_due(host, uri, realm):
    assert default_headers(302, host) == (("Contact", f"<{uri}>"),)
    assert Challenge.parse(default_headers(401, host)[0][1]).realm == realm
    assert Challenge.parse(default_headers(407, host)[0][1]).realm == realm


def test_redirect_lists_two_places_in_order():
    first, second = split_list(default_headers(300, HOST)[0][1])
    assert first == f"<sip:first@{HOST}>;q=0.9"
    assert second == f"<sip:second@{HOST}>;q=0.5"


@pytest.mark.parametrize("code", [401, 407])
def test_nonces_are_fresh_and_offer_auth(code):
    challenges = [Challenge.parse(default_headers(code, HOST)[0][1]) for _ in range(50)]
    assert len({c.nonce for c in challenges}) == 50
    assert {c.qop for c in challenges} == {("auth",)}
    assert all(len(c.nonce) >= 32 for c in challenges)


def test_all_other_defaults_are_constant():
    for code in set(CODES) - {401, 407}:
        assert default_headers(code, HOST) == default_headers(code, HOST)


@pytest.mark.parametrize("host", ["", "a b", "x\r\nEvil: 1", "sip:x@y", "::1", "a:123456", 'a"b', "a>b", "ä.example"])
@pytest.mark.parametrize("code", [302, 401, 486])
def test_host_that_is_none(code, host):
    with pytest.raises(SipError, match="not a host"):
        default_headers(code, host)


def test_default_headers_of_no_code():
    with pytest.raises(UnknownCode):
        default_headers(700, HOST)


def test_body_that_has_to_come():
    import xml.etree.ElementTree as ET

    content_type, body = default_body(380)
    assert content_type == "application/3gpp-ims+xml"
    assert ET.fromstring(body).findtext("alternative-service/type") == "emergency"
    assert {code for code in CODES if default_body(code) != ("", b"")} == {380}


def test_facts_that_scenarios_lean_on():
    assert {code for code, row in CODES.items() if row.ends == "dialog"} == {
        404,
        410,
        416,
        482,
        483,
        484,
        485,
        502,
        604,
    }
    assert {code for code, row in CODES.items() if row.ends == "usage"} == {405, 480, 481, 489, 501}
    assert {code for code, row in CODES.items() if row.failover == "yes"} == {402, 408, 430, 500, 502, 503, 504}
    assert lookup(486).failover == lookup(600).failover == "no"
    assert lookup(486).q850 == lookup(600).q850 == "17 User busy"


def test_rows_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        lookup(486).phrase = "Free"
    with pytest.raises(TypeError):
        CODES[486] = lookup(600)
