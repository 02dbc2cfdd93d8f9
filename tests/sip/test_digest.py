"""Digest authentication against the vectors of the RFCs, and against hostile challenges."""

import hashlib
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sip_harness.sip.digest import Challenge, authorization, choose, compute, next_nonce
from sip_harness.sip.digest_values import MAX_CHALLENGE
from sip_harness.sip.errors import SipError

# RFC 7616 3.9.1
NONCE_7616 = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
SHA_7616 = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, '
    f'nonce="{NONCE_7616}", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
MD5_7616 = SHA_7616.replace("SHA-256", "MD5")
CNONCE_7616 = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
MUFASA = {"username": "Mufasa", "method": "GET", "uri": "/dir/index.html"}
# RFC 2617 3.5
RFC_2617 = (
    'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
    'opaque="5ccc069c403ebaf9f0171e9517f40e41"'
)
INVITE = {"username": "alice", "password": "secret", "method": "INVITE", "uri": "sip:bob@example.com"}


def params(value: str) -> dict[str, str]:
    """Parameters of an Authorization value, quotes kept."""
    assert value.startswith("Digest ")
    found = re.findall(r'([a-z]+)=("(?:[^"\\]|\\.)*"|[^\s,"]+)(?:, |$)', value.removeprefix("Digest "))
    assert ", ".join(f"{name}={text}" for name, text in found) == value.removeprefix("Digest ")
    assert len(dict(found)) == len(found)
    return dict(found)


@pytest.mark.parametrize(
    ("challenge", "response"),
    [
        (MD5_7616, "8ca523f5e9506fed4657c9700eebdbec"),
        (SHA_7616, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_vectors_of_rfc_7616(challenge, response):
    value = authorization(Challenge.parse(challenge), password="Circle of Life", nc=1, cnonce=CNONCE_7616, **MUFASA)
    assert params(value) == {
        "username": '"Mufasa"',
        "realm": '"http-auth@example.org"',
        "nonce": f'"{NONCE_7616}"',
        "uri": '"/dir/index.html"',
        "response": f'"{response}"',
        "algorithm": "SHA-256" if "SHA" in challenge else "MD5",
        "cnonce": f'"{CNONCE_7616}"',
        "opaque": '"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"',
        "qop": "auth",
        "nc": "00000001",
    }


def test_vector_of_rfc_2617():
    value = authorization(Challenge.parse(RFC_2617), password="Circle Of Life", cnonce="0a4f113b", **MUFASA)
    assert params(value)["response"] == '"6629fae49393a05397450978507c4ef1"'


def test_vector_of_rfc_2069_style_without_qop():
    challenge = Challenge.parse('Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"')
    found = params(authorization(challenge, password="CircleOfLife", **MUFASA))
    assert found["response"] == '"1949323746fe6a43ef61f9606e7febea"'  # RFC 2069 2.4 with its erratum
    assert not {"qop", "nc", "cnonce", "opaque"} & set(found)


def digest(name: str, text: str) -> str:
    return hashlib.new(name, text.encode()).hexdigest()


@pytest.mark.parametrize("session", [False, True])
@pytest.mark.parametrize("qop", ["", "auth", "auth-int"])
@pytest.mark.parametrize(("algorithm", "name"), [("MD5", "md5"), ("SHA-256", "sha256"), ("SHA-512-256", "sha512_256")])
def test_every_variant_by_the_formulas_of_rfc_7616(algorithm, name, qop, session):
    spelled = f"{algorithm}-sess" if session else algorithm
    offered = f', qop="{qop}"' if qop else ""
    challenge = Challenge.parse(f'Digest realm="r", nonce="n", algorithm={spelled}{offered}')
    value = authorization(challenge, body=b"v=0\r\n", nc=10, cnonce="c", **INVITE)
    a1 = digest(name, "alice:r:secret")
    if session:
        a1 = digest(name, f"{a1}:n:c")
    a2 = "INVITE:sip:bob@example.com" + (f":{digest(name, 'v=0' + chr(13) + chr(10))}" if qop == "auth-int" else "")
    middle = f":0000000a:c:{qop}" if qop else ""
    found = params(value)
    assert found["response"] == f'"{digest(name, f"{a1}:n{middle}:{digest(name, a2)}")}"'
    assert found["algorithm"] == spelled
    assert found.get("qop", "") == qop
    assert ("cnonce" in found) == bool(qop or session)


def test_sha_512_256_is_the_truncated_hash_with_its_own_start():
    # FIPS 180-4: not the first half of SHA-512
    assert digest("sha512_256", "abc") == "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"


def test_auth_is_preferred_to_auth_int_whatever_the_order():
    assert Challenge.parse('Digest realm="r", nonce="n", qop="auth-int,auth"').chosen_qop == "auth"
    assert Challenge.parse('Digest realm="r", nonce="n", qop="auth-int"').chosen_qop == "auth-int"
    assert Challenge.parse('Digest realm="r", nonce="n", qop="new, AUTH"').chosen_qop == "auth"


def test_body_counts_with_auth_int_only():
    for qop, same in (("auth", True), ("auth-int", False)):
        challenge = Challenge.parse(f'Digest realm="r", nonce="n", qop="{qop}"')
        one, two = (params(authorization(challenge, body=body, cnonce="c", **INVITE)) for body in (b"a", b"b"))
        assert (one["response"] == two["response"]) is same


def test_parse_reads_every_parameter():
    challenge = Challenge.parse(
        'digest  REALM = "a, b = \\"c\\" \\\\ d" ,nonce="x,y",opaque="",algorithm="SHA-256",'
        'qop=auth,stale=TRUE, domain="sip:a sip:b",x-new=1, userhash=true'
    )
    assert challenge == Challenge(
        realm='a, b = "c" \\ d',
        nonce="x,y",
        algorithm="SHA-256",
        qop=("auth",),
        opaque="",
        stale=True,
        domain="sip:a sip:b",
    )


def test_defaults():
    assert Challenge.parse('Digest realm="", nonce=""') == Challenge(realm="", nonce="")
    assert Challenge(realm="", nonce="").algorithm == "MD5"
    assert Challenge.parse('Digest realm="r",,nonce="n", ') == Challenge(realm="r", nonce="n")


def test_escapes_come_back_as_they_came():
    challenge = Challenge.parse('Digest realm="a \\"b\\"", nonce="n\\\\", opaque="\\"", qop="auth"')
    found = params(authorization(challenge, cnonce="c", **INVITE))
    assert (found["realm"], found["nonce"], found["opaque"]) == ('"a \\"b\\""', '"n\\\\"', '"\\""')


def test_what_is_hashed_is_what_stands_between_the_quotes():
    challenge = Challenge.parse('Digest realm="a\\"b", nonce="n"')
    response = compute(challenge, username='al"ice', password='p"w', method="BYE", uri="sip:b")
    a1 = digest("md5", r'al\"ice:a\"b:p"w')
    expected = digest("md5", f"{a1}:n:{digest('md5', 'BYE:sip:b')}")
    assert response == expected


def test_opaque_comes_back_even_if_empty_and_only_if_it_came():
    with_opaque = Challenge.parse('Digest realm="r", nonce="n", opaque=""')
    assert params(authorization(with_opaque, **INVITE))["opaque"] == '""'
    without = Challenge.parse('Digest realm="r", nonce="n"')
    assert "opaque" not in params(authorization(without, **INVITE))


def test_cnonce_is_drawn_anew():
    challenge = Challenge.parse('Digest realm="r", nonce="n", qop="auth"')
    drawn = {params(authorization(challenge, **INVITE))["cnonce"] for _ in range(50)}
    assert len(drawn) == 50
    assert all(len(cnonce) >= 18 for cnonce in drawn)


def test_names_beyond_ascii():
    challenge = Challenge.parse('Digest realm="r", nonce="n"')
    value = authorization(challenge, username="Jäsøn", password="ß", method="INVITE", uri="sip:b")
    assert f'"{digest("md5", digest("md5", "Jäsøn:r:ß") + ":n:" + digest("md5", "INVITE:sip:b"))}"' in value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "not a Digest"),
        ("Basic realm=x", "not a Digest"),
        ('Digestrealm="r", nonce="n"', "not a Digest"),
        ("Digest", "without realm"),
        ('Digest nonce="n"', "without realm"),
        ('Digest realm="r"', "without nonce"),
        ('Digest realm="r", nonce="n', "cannot be read"),
        ('Digest realm="r\\", nonce=n', "cannot be read"),
        ('Digest realm="r" nonce="n"', "cannot be read"),
        ('Digest realm="r", nonce="n", Digest realm="r"', "cannot be read"),
        ('Digest realm="r", nonce=', "cannot be read"),
        ('Digest realm="r", nonce="n", =x', "cannot be read"),
        ('Digest realm="r", realm="s", nonce="n"', "twice"),
        ('Digest realm="r", Realm="s", nonce="n"', "twice"),
        ('Digest realm="r\r\nEvil: 1", nonce="n"', "control character"),
        ('Digest realm="r", nonce="\0"', "control character"),
        ('Digest realm="\ud800", nonce="n"', "UTF-8"),
        ('Digest realm="r", nonce="' + "n" * MAX_CHALLENGE + '"', "longer than"),
    ],
)
def test_what_is_no_challenge(value, reason):
    with pytest.raises(SipError, match=reason):
        Challenge.parse(value)


def test_topmost_supported_challenge_is_chosen():
    values = [
        "Basic realm=x",
        'Digest realm="r", nonce="1", algorithm=SHA3-512',
        'Digest realm="r", nonce="2", qop="only-new"',
        'Digest realm="r", nonce="3", algorithm=sha-256, qop="auth"',
        'Digest realm="r", nonce="4"',
    ]
    assert choose(values).nonce == "3"
    assert choose(reversed(values)).nonce == "4"


def test_no_challenge_that_can_be_answered():
    with pytest.raises(SipError, match="there is none"):
        choose([])
    with pytest.raises(SipError) as caught:
        choose(
            ['Digest realm="r", nonce="1", algorithm=AKAv1-MD5', "Basic realm=x", 'Digest realm="r",nonce="n",qop=x']
        )
    assert "AKAv1-MD5" in str(caught.value)
    assert "not a Digest" in str(caught.value)
    assert "qop 'x'" in str(caught.value)


@pytest.mark.parametrize("algorithm", ["AKAv1-MD5", "MD5-sess-sess", "ſHA-256", "-sess", '""'])
def test_unsupported_algorithm(algorithm):
    challenge = Challenge.parse(f'Digest realm="r", nonce="n", algorithm={algorithm}')
    assert "not supported" in challenge.unsupported
    with pytest.raises(SipError, match="not supported"):
        authorization(challenge, **INVITE)


@pytest.mark.parametrize("algorithm", ["md5", "Md5-SESS", "sha-256", "SHA-512-256-Sess"])
def test_algorithm_is_spelled_as_the_server_does(algorithm):
    challenge = Challenge.parse(f'Digest realm="r", nonce="n", qop="auth", algorithm={algorithm}')
    assert params(authorization(challenge, **INVITE))["algorithm"] == algorithm
    assert challenge.session is algorithm.lower().endswith("-sess")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"nc": 0}, "nonce count"),
        ({"nc": 2**32}, "nonce count"),
        ({"username": "a\r\nb"}, "control character"),
        ({"username": "\ud800"}, "UTF-8"),
        ({"password": "\ud800"}, "UTF-8"),
        ({"uri": "sip:x\n"}, "control character"),
        ({"cnonce": "\x00"}, "control character"),
        ({"method": "INV:ITE"}, "not a method"),
        ({"method": ""}, "not a method"),
    ],
)
def test_arguments_that_cannot_stand_in_a_header(changes, reason):
    challenge = Challenge.parse('Digest realm="r", nonce="n", qop="auth"')
    with pytest.raises(SipError, match=reason):
        authorization(challenge, **{**INVITE, **changes})


def test_server_side_finds_the_same_response():
    challenge = Challenge.parse(SHA_7616)
    sent = params(authorization(challenge, nc=7, **INVITE))
    seen = compute(challenge, qop=sent["qop"], nc=int(sent["nc"], 16), cnonce=sent["cnonce"].strip('"'), **INVITE)
    assert sent["response"] == f'"{seen}"'
    assert compute(challenge, qop="auth", nc=7, cnonce="c", **{**INVITE, "password": "wrong"}) != seen
    with pytest.raises(SipError, match="qop 'new'"):
        compute(challenge, qop="new", **INVITE)


TEXTS = st.text(st.characters() | st.sampled_from('",= \\\tDigestrealmnonce'), max_size=200)


@settings(deadline=None)
@given(TEXTS | TEXTS.map("Digest {}".format) | TEXTS.map('Digest realm="r", nonce="n", {}'.format))
@example('Digest realm="' + "\\" * 5000)
@example("Digest " + "a=" * 3000)
@example("Digest " + " " * 8000 + '"')
def test_hostile_challenges_raise_nothing_but_sip_error(value):
    try:
        line, refusal = authorization(choose([value]), **INVITE), ""
    except SipError as error:
        line, refusal = "", str(error)
    assert refusal.isprintable()
    assert len(refusal) < 1000
    assert refusal or params(line)["username"] == '"alice"'
    assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", line)


@settings(deadline=None)
@given(*[st.text(max_size=30)] * 5, st.integers(), st.binary(max_size=20))
def test_hostile_arguments_raise_nothing_but_sip_error(username, password, method, uri, cnonce, nc, body):
    challenge = Challenge.parse('Digest realm="r", nonce="n", qop="auth-int"')
    try:
        line = authorization(
            challenge, username=username, password=password, method=method, uri=uri, body=body, nc=nc, cnonce=cnonce
        )
    except SipError:
        return
    assert line.count("\n") == line.count("\r") == 0


@settings(deadline=None)
@given(*[st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30)] * 3)
def test_what_a_server_writes_is_read_back(realm, nonce, opaque):
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    value = f"Digest realm={quoted(realm)}, nonce={quoted(nonce)}, opaque={quoted(opaque)}"
    assert Challenge.parse(value) == Challenge(realm=realm, nonce=nonce, opaque=opaque)
    found = params(authorization(Challenge.parse(value), **INVITE))
    assert (found["realm"], found["nonce"], found["opaque"]) == (quoted(realm), quoted(nonce), quoted(opaque))


@pytest.mark.parametrize(
    ("value", "nonce"),
    [
        ('nextnonce="n2"', "n2"),
        ('qop=auth, rspauth="6629", cnonce="a", nc=00000001, nextnonce="with, comma"', "with, comma"),
        ('qop=auth, rspauth="6629"', ""),
        ("", ""),
        ('nextnonce="n2", nextnonce="n3"', ""),
        ('nextnonce="broken', ""),
    ],
)
def test_the_nonce_that_a_server_names_for_the_next_request(value, nonce):
    assert next_nonce(value) == nonce
