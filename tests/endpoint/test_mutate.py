"""Damage to the bytes of a message: exactly what was asked for and nothing else."""

from __future__ import annotations

import pytest

from sip_harness.endpoint.mutate import GARBAGE, corrupt, duplicate, mutate, rewrite, strip, truncate
from sip_harness.model.steps import Mutation
from sip_harness.sip.message import parse

HEAD = (
    b"SIP/2.0 200 OK\r\n"
    b"Via: SIP/2.0/UDP p:5060;branch=z9hG4bK1\r\n"
    b"v: SIP/2.0/UDP a:5060\r\n;branch=z9hG4bK2\r\n".replace(b"\r\n;", b"\r\n ;")
    + b"From: <sip:a@h>;tag=1\r\n"
    b"t: <sip:b@h>;tag=2\r\n"
    b"Call-ID: x\r\n"
    b"CSeq: 1 INVITE\r\n"
    b"Contact : <sip:b@h>\r\n"
    b"Content-Length: 12\r\n"
)
BODY = b"Via: no\r\n\r\nx"
DATA = HEAD + b"\r\n" + BODY


class TestStrip:
    def test_every_field_of_the_name_with_its_folds(self) -> None:
        done = strip(DATA, "Via")
        assert parse(done).all("via") == []
        assert b"z9hG4bK" not in done
        assert done.endswith(b"\r\n\r\n" + BODY)

    @pytest.mark.parametrize("name", ["To", "to", "t", "T"])
    def test_names_in_any_form(self, name: str) -> None:
        assert strip(DATA, name) == DATA.replace(b"t: <sip:b@h>;tag=2\r\n", b"")

    def test_white_space_before_the_colon(self) -> None:
        assert strip(DATA, "Contact") == DATA.replace(b"Contact : <sip:b@h>\r\n", b"")

    def test_what_is_not_there(self) -> None:
        assert strip(DATA, "Require") == DATA

    def test_the_start_line_and_the_body_are_no_header(self) -> None:
        assert strip(b"SIP: no\r\nA: 1\r\n\r\nA: 2", "A") == b"SIP: no\r\n\r\nA: 2"

    def test_the_last_header_leaves_the_empty_line(self) -> None:
        assert strip(b"SIP/2.0 200 OK\r\nA: 1\r\n\r\n", "A") == b"SIP/2.0 200 OK\r\n\r\n"


class TestDuplicate:
    def test_only_the_first_right_after_itself(self) -> None:
        line = b"Via: SIP/2.0/UDP p:5060;branch=z9hG4bK1\r\n"
        assert duplicate(DATA, "v") == DATA.replace(line, line + line)

    def test_with_its_folds(self) -> None:
        data = b"S\r\nTo: a\r\n\t;tag=1\r\nX: y\r\n\r\n"
        assert duplicate(data, "To") == b"S\r\nTo: a\r\n\t;tag=1\r\nTo: a\r\n\t;tag=1\r\nX: y\r\n\r\n"

    def test_what_is_not_there(self) -> None:
        assert duplicate(DATA, "Subject") == DATA


class TestCorrupt:
    def test_the_value_and_nothing_else(self) -> None:
        done = corrupt(DATA, "To")
        assert done == DATA.replace(b"t: <sip:b@h>;tag=2", b"t: " + GARBAGE)

    def test_the_garbage_is_no_text_and_closes_nothing(self) -> None:
        with pytest.raises(UnicodeDecodeError):
            GARBAGE.decode()
        assert GARBAGE.count(b'"') == 1
        assert not set(b"\r\n\0>") & set(GARBAGE)

    def test_the_same_each_time(self) -> None:
        assert corrupt(DATA, "CSeq") == corrupt(DATA, "CSeq")

    def test_folds_go_with_the_value(self) -> None:
        assert corrupt(b"S\r\nTo: a\r\n b\r\nX: y\r\n\r\n", "To") == b"S\r\nTo: " + GARBAGE + b"\r\nX: y\r\n\r\n"


class TestTruncate:
    @pytest.mark.parametrize(("size", "left"), [("0", b""), ("7", b"SIP/2.0"), (str(len(DATA)), DATA), ("9999", DATA)])
    def test_so_many_bytes(self, size: str, left: bytes) -> None:
        assert truncate(DATA, size) == left

    @pytest.mark.parametrize("size", ["", "-1", "1.5", "many", "²"])
    def test_what_is_no_number(self, size: str) -> None:
        with pytest.raises(ValueError, match="number of bytes"):
            truncate(DATA, size)


class TestTogether:
    def test_in_their_order(self) -> None:
        both = (Mutation("duplicate", "CSeq"), Mutation("corrupt", "CSeq"))
        done = mutate(DATA, both)
        assert done.index(b"CSeq: " + GARBAGE) < done.index(b"CSeq: 1 INVITE")
        assert mutate(DATA, reversed(both)).count(GARBAGE) == 2

    def test_none(self) -> None:
        assert mutate(DATA, ()) == DATA

    def test_lines_that_end_otherwise(self) -> None:
        assert strip(b"S\nTo: a\nX: y\n\nbody", "To") == b"S\nX: y\n\nbody"

    def test_a_message_that_was_cut(self) -> None:
        assert strip(b"S\r\nTo: a\r\nFro", "To") == b"S\r\nFro"
        assert duplicate(b"S\r\nTo: a", "To") == b"S\r\nTo: aTo: a"


def test_rewriting_keeps_the_name_as_it_is_written() -> None:
    assert rewrite(DATA, "Contact", lambda value: value + b"!") == DATA.replace(b"<sip:b@h>\r\nC", b"<sip:b@h>!\r\nC")
