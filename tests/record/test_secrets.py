"""What is recorded of a system that is elsewhere proves nothing to anybody."""

from __future__ import annotations

import pytest

from sip_harness.model.entry import Entry, Malformed, Message, Note
from sip_harness.record.secrets import blanked, discreet
from sip_harness.sip.message import build, parse

HERE = ("127.0.0.1", 5060)
PROOF = "6629fae49393a05397450978507c4ef1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", 'Digest username="bob", realm="r", nonce="n", uri="sip:x", response="{}", qop=auth'),
        ("Proxy-Authorization", 'Digest response="{}", username="bob"'),
        ("Authorization", 'Digest username="bob", RESPONSE = {}'),
        ("Authorization", 'Digest username="bob",\r\n response=\r\n "{}"'),
        ("Authentication-Info", 'nextnonce="n", rspauth="{}"'),
    ],
)
def test_no_digest_response_is_told(name: str, value: str) -> None:
    data = build("REGISTER sip:x SIP/2.0", [(name, value.format(PROOF)), ("Call-ID", PROOF)])
    told = blanked(data)
    assert len(told) == len(data), "nothing else moves"
    assert parse(told).get(name) == parse(data.replace(PROOF.encode(), b"0" * 32, 1)).get(name)
    assert parse(told).call_id == PROOF
    assert blanked(told) == told


def test_only_messages_are_touched() -> None:
    taken: list[Entry] = []
    emit = discreet(taken.append)
    text = f'Authorization: Digest response="{PROOF}"'.encode()
    emit(Message(0, 0, "bob", "sent", HERE, HERE, b"ACK sip:x SIP/2.0\r\n" + text, "script"))
    emit(Malformed(0, "bob", HERE, HERE, b"rubbish\r\n" + text, "no SIP"))
    emit(Note(0, "bob", "step", "OK", {}))
    assert [PROOF in repr(entry) for entry in taken] == [False, False, False]
    assert taken[2] == Note(0, "bob", "step", "OK", {})
