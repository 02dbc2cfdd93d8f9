"""From what is seen in the stack to entries; and the log lines that serve where nothing else can be seen."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import pytest

from sip_harness.agents.pjsua2.loglines import message_of
from sip_harness.agents.pjsua2.trace import NOTABLE_LAG, Trace
from sip_harness.model.entry import Entry, Lag, Malformed, Message

LOCAL, REMOTE = ("127.0.0.1", 5060), ("127.0.0.1", 5070)
OPTIONS = (
    b"OPTIONS sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n"
    b"Call-ID: i\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)
ANSWER = OPTIONS.replace(b"OPTIONS sip:x@y SIP/2.0", b"SIP/2.0 200 OK", 1)


@dataclass
class Bench:
    """A trace with its record and a kernel whose stamps the test sets."""

    entries: list[Entry] = field(default_factory=list)
    stamps: list[int | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.trace = Trace("desk", LOCAL, self.entries.append, lambda: self.stamps.pop(0))


def test_a_received_message_has_the_kernels_time_and_no_slack() -> None:
    bench = Bench(stamps=[now := time.time_ns()])
    bench.trace.received(OPTIONS, REMOTE)
    assert bench.entries == [Message(now, 0, "desk", "received", LOCAL, REMOTE, OPTIONS, "system")]
    assert bench.trace.arrival == now


def test_without_a_kernel_time_the_slack_reaches_back_to_when_nothing_was_there() -> None:
    bench = Bench(stamps=[None])
    bench.trace.idle = time.time_ns() - 5_000_000
    bench.trace.received(OPTIONS, REMOTE)
    [entry] = bench.entries
    assert isinstance(entry, Message)
    assert entry.time == bench.trace.idle
    assert entry.slack >= 5_000_000
    assert entry.time + entry.slack <= time.time_ns()


def test_a_message_taken_late_is_a_lag() -> None:
    late = time.time_ns() - 3 * NOTABLE_LAG
    bench = Bench(stamps=[late])
    bench.trace.received(OPTIONS, REMOTE)
    lag, message = bench.entries
    assert isinstance(lag, Lag)
    assert lag.lag >= 3 * NOTABLE_LAG
    assert message.time == late


def test_a_sent_message_is_held_until_it_has_left() -> None:
    bench = Bench(stamps=[time.time_ns()])
    before = time.time_ns()
    bench.trace.sent(ANSWER, REMOTE)
    assert bench.entries == []
    between = time.time_ns()
    bench.trace.settle()
    [entry] = bench.entries
    assert isinstance(entry, Message)
    assert before <= entry.time <= between <= entry.time + entry.slack <= time.time_ns()
    assert (entry.direction, entry.data, entry.origin) == ("sent", ANSWER, "protocol")
    bench.trace.settle()
    assert len(bench.entries) == 1


def test_whatever_comes_next_ends_the_sending() -> None:
    bench = Bench(stamps=[time.time_ns()] * 2)
    bench.trace.sent(ANSWER, REMOTE)
    bench.trace.received(OPTIONS, REMOTE)
    bench.trace.sent(ANSWER, REMOTE)
    bench.trace.sent(ANSWER, REMOTE)
    bench.trace.dropped(b"garbage", REMOTE, "why")
    kinds = [e.direction if isinstance(e, Message) else type(e).__name__ for e in bench.entries]
    assert kinds == ["sent", "received", "sent", "sent", "Malformed"]
    assert bench.trace.count_sent == 3


def test_what_is_no_message_for_us_is_malformed_whatever_the_stack_says() -> None:
    bench = Bench(stamps=[7, 8])
    bench.trace.received(b"\xff\xfe", REMOTE)
    bench.trace.dropped(OPTIONS, REMOTE, "no Call-ID")
    found = [e for e in bench.entries if isinstance(e, Malformed)]
    assert [(e.time, e.data, e.remote) for e in found] == [(7, b"\xff\xfe", REMOTE), (8, OPTIONS, REMOTE)]
    assert "no SIP start line" in found[0].why
    assert found[1].why == "no Call-ID"


def test_the_first_failure_is_kept() -> None:
    bench = Bench()
    first = ValueError("one")
    bench.trace.broke(first)
    bench.trace.broke(ValueError("two"))
    assert bench.trace.failure is first


LINE = (
    "01:37:11.796           pjsua_core.c  .RX 12 bytes Request msg ACK/cseq=1 (rdata0x55) from UDP 127.0.0.1:5071:\n"
    "ACK a b\r\n\r\n\nand\n--end msg--\n"
)


def test_a_message_is_read_from_its_log_line() -> None:
    data = "ACK a b\r\n\r\n\n"
    assert message_of(LINE) == ("RX", data.encode(), ("127.0.0.1", 5071))
    sent = LINE.replace("RX", "TX").replace("from UDP", "to UDP")
    assert message_of(sent) == ("TX", data.encode(), ("127.0.0.1", 5071))


def test_bytes_that_are_no_text_come_back() -> None:
    line = LINE.replace("ACK a b\r\n\r\n\n", b"\xff\xfe\x80abcdefghi".decode("utf-8", "surrogateescape"))
    assert message_of(line) == ("RX", b"\xff\xfe\x80abcdefghi", ("127.0.0.1", 5071))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "some other line\n",
        "RX 12 bytes",
        LINE.replace("UDP", "TCP"),
        LINE.replace("RX", "XX"),
        "RX a bytes x from UDP 1.2.3.4:5:\n",
    ],
)
def test_other_lines_are_left_alone(line: str) -> None:
    assert message_of(line) is None


def test_a_line_that_the_library_has_cut_gives_what_is_left() -> None:
    found = message_of(LINE[: LINE.index("\r\n\r\n")].replace("12 bytes", "4000 bytes"))
    assert found == ("RX", b"ACK a b", ("127.0.0.1", 5071))
