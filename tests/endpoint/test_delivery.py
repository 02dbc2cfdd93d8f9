"""The bytes of a delivery, option by option: what is asked for is changed and every other byte stays."""

from __future__ import annotations

import pytest

from sip_harness.endpoint import build
from sip_harness.endpoint.delivery import Made, damage, dress, fill, with_branch, with_tag
from sip_harness.model.steps import PLAIN, Delivery, Mutation
from sip_harness.sip.message import Message, parse
from sip_harness.sip.message import build as serialise

MADE = Made("made-tag", "z9hG4bKmade")
INVITE = parse(
    serialise(
        "INVITE sip:desk@127.0.0.1 SIP/2.0",
        [
            ("Via", "SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKp;rport, SIP/2.0/UDP c;branch=z9hG4bKc"),
            ("Via", "SIP/2.0/TCP d;branch=z9hG4bKd"),
            ("From", '"A, B" <sip:a@h>;tag=far'),
            ("To", "<sip:desk@h>"),
            ("Call-ID", "c-1"),
            ("CSeq", "7 INVITE"),
        ],
    )
)


def plain(code: int = 200) -> bytes:
    return build.response(INVITE, code, "OK", source=("127.0.0.1", 5060), tag="own")


def dressed(how: Delivery) -> Message:
    """The response dressed; every header but those of `how` is as it was."""
    return parse(dress(plain(), how, MADE))


def changed(how: Delivery) -> dict[str, str]:
    """Headers of a dressed response that differ from the plain one."""
    before, after = parse(plain()), dressed(how)
    assert [f.name for f in after.fields] == [f.name for f in before.fields]
    pairs = zip(after.fields, before.fields, strict=True)
    return {new.name: new.value for new, old in pairs if new.value != old.value}


class TestToTag:
    @pytest.mark.parametrize(
        ("asked", "to"),
        [
            ("", "<sip:desk@h>"),
            ("other", "<sip:desk@h>;tag=made-tag"),
            ("x;y", "<sip:desk@h>;tag=x;y"),
            ("own2", "<sip:desk@h>;tag=own2"),
        ],
    )
    def test_instead_of_our_own(self, asked: str, to: str) -> None:
        assert changed(Delivery(to_tag=asked)) == {"To": to}

    def test_our_own(self) -> None:
        assert dress(plain(), PLAIN, MADE) == plain()

    def test_where_there_was_none(self) -> None:
        assert parse(dress(plain(100), Delivery(to_tag="early"), MADE)).to_tag == "early"

    @pytest.mark.parametrize(
        ("value", "tag", "done"),
        [
            ("sip:a@h;tag=1", "2", "sip:a@h;tag=2"),
            ("<sip:a@h;tag=uri>;TAG = 1;x=y", "2", "<sip:a@h;tag=uri>;x=y;tag=2"),
            ("<sip:a@h>;x=y;tag=1", "", "<sip:a@h>;x=y"),
            ("<sip:a@h>", "", "<sip:a@h>"),
        ],
    )
    def test_of_any_value(self, value: str, tag: str, done: str) -> None:
        assert with_tag(value, tag) == done


class TestBranch:
    def test_other(self) -> None:
        via = changed(Delivery(branch="other"))["Via"]
        assert parse(dress(plain(), Delivery(branch="other"), MADE)).branch == "z9hG4bKmade"
        assert via.endswith(", SIP/2.0/UDP c;branch=z9hG4bKc"), "only the topmost element"
        assert via.startswith("SIP/2.0/UDP 127.0.0.1:5060;")

    def test_literal(self) -> None:
        assert dressed(Delivery(branch="z9hG4bKx")).branch == "z9hG4bKx"
        assert list(changed(Delivery(branch="z9hG4bKx"))) == ["Via"]

    def test_where_there_was_none(self) -> None:
        assert with_branch("SIP/2.0/UDP a", "b") == "SIP/2.0/UDP a;branch=b"


class TestCSeq:
    def test_the_method_alone(self) -> None:
        assert changed(Delivery(cseq="OPTIONS")) == {"CSeq": "7 OPTIONS"}


class TestTogether:
    def test_everything_at_once(self) -> None:
        how = Delivery(to_tag="t", branch="b", cseq="BYE")
        assert list(changed(how)) == ["Via", "To", "CSeq"]

    def test_headers_that_the_author_left_out(self) -> None:
        bare = b"SIP/2.0 200 OK\r\nX: y\r\n\r\n"
        assert dress(bare, Delivery(to_tag="t", branch="b", cseq="BYE"), MADE) == bare

    def test_what_is_about_sending_changes_no_byte(self) -> None:
        how = Delivery(resend=(1.0,), copies=3, port="other", reliable=True, media="tone", pieces=(1, 2))
        assert damage(dress(plain(), how, MADE), how) == plain()

    def test_mutations_come_last(self) -> None:
        how = Delivery(to_tag="t", mutations=(Mutation("duplicate", "To"), Mutation("strip", "Contact")))
        assert parse(damage(dress(plain(), how, MADE), how)).all("to") == ["<sip:desk@h>;tag=t"] * 2

    def test_bytes_that_are_no_text_survive(self) -> None:
        odd = plain().replace(b"<sip:desk@h>", b"<sip:d\xff@h>")
        assert b"<sip:d\xff@h>;tag=t" in dress(odd, Delivery(to_tag="t"), MADE)


class TestFill:
    @pytest.mark.parametrize(
        ("written", "sent"),
        [
            (b"{via}", ", ".join(INVITE.all("via")).encode()),
            (b"{from}", b'"A, B" <sip:a@h>;tag=far'),
            (b"{to}", b"<sip:desk@h>"),
            (b"{call-id}", b"c-1"),
            (b"{cseq}", b"7 INVITE"),
            (b"{contact}", b"<sip:me@h>"),
            (b"<{call-id}{cseq}>", b"<c-17 INVITE>"),
            (b"{branch}", b"z9hG4bKp"),
            (b"{sent-by}", b"127.0.0.1:5060"),
            (b"top{more-vias}", b"top, SIP/2.0/UDP c;branch=z9hG4bKc, SIP/2.0/TCP d;branch=z9hG4bKd"),
            (b"{run}", b"s1x1"),
        ],
    )
    def test_placeholders(self, written: bytes, sent: bytes) -> None:
        assert fill(written, INVITE, "<sip:me@h>", "s1x1") == sent

    @pytest.mark.parametrize(
        "data", [b"{", b"}", b"{}", b"{ via }", b"{VIA}", b"{route}", b"{{", b"%s {0} {via", b"\xff\0{\r\n}"]
    )
    def test_anything_else_stays(self, data: bytes) -> None:
        assert fill(data, INVITE, "<sip:me@h>", "s1x1") == data

    def test_what_is_filled_in_is_not_filled_again(self) -> None:
        request = parse(b"INVITE sip:a SIP/2.0\r\nCall-ID: {cseq}\r\nCSeq: 1 INVITE\r\n\r\n")
        assert fill(b"{call-id}", request, "", "") == b"{cseq}"

    def test_a_header_that_the_request_does_not_have(self) -> None:
        assert fill(b"[{to}]", parse(b"OPTIONS sip:a SIP/2.0\r\n\r\n"), "", "") == b"[]"

    def test_it_makes_a_whole_response(self) -> None:
        copied = b"Via: {via}\r\nFrom: {from}\r\nTo: {to};tag=x\r\nCall-ID: {call-id}\r\nCSeq: {cseq}\r\n\r\n"
        wanted = b"SIP/2.0 200 \r\n" + copied
        made = parse(fill(wanted, INVITE, "<sip:me@h>", "s1x1"))
        assert (made.code, made.branch, made.cseq, made.to_tag) == (200, "z9hG4bKp", (7, "INVITE"), "x")
