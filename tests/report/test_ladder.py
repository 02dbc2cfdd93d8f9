"""The text ladder: golden pictures, and the rules that hold for any record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import fork_records as made
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip_harness.model.entry import Header, Malformed, Message, Note, Record, Role
from sip_harness.model.verdict import Finding, Outcome, Verdict
from sip_harness.report import ladder
from sip_harness.report.escape import cells

Golden = Callable[[str, str], None]


def row(text: str, word: str) -> str:
    return next(line for line in text.splitlines() if word in line)


@pytest.mark.parametrize("name", ["good", "late", "missing", "hostile"])
def test_ladders_look_as_they_should(name: str, golden: Golden) -> None:
    result = getattr(made, name)()
    assert result.record is not None
    golden(f"ladder-{name}.txt", ladder.text(result.record, result.verdict))


def test_a_narrow_ladder_shortens_reason_phrases(golden: Golden) -> None:
    record = made.fork().record()
    text = ladder.text(record, None, 70)
    golden("ladder-narrow.txt", text)
    assert max(map(cells, text.splitlines())) <= 70


def test_a_verdict_is_not_needed() -> None:
    text = ladder.text(made.late().record)  # type: ignore[arg-type]
    assert "✗" not in text
    assert "CANCEL" in text


def test_colours_change_no_letter() -> None:
    result = made.hostile()
    assert result.record is not None
    shown = ladder.rich(result.record, result.verdict)
    assert [line.rstrip() for line in shown.plain.split("\n")] == ladder.text(result.record, result.verdict).split("\n")
    assert any("red" in str(span.style) for span in shown.spans)


def test_the_late_message_is_marked_at_its_time() -> None:
    result = made.late()
    text = ladder.text(result.record, result.verdict)  # type: ignore[arg-type]
    assert row(text, "CANCEL ").startswith("✗ 3.0083 s")
    assert sum(line.startswith("✗") for line in text.splitlines()) == 1


def test_the_missing_message_is_a_dashed_arrow_when_it_was_due() -> None:
    result = made.missing()
    line = row(ladder.text(result.record, result.verdict), "CANCEL")  # type: ignore[arg-type]
    assert line.startswith("✗  505.2 ms")
    assert "╌ ✗ CANCEL missing ╌" in line
    assert line.endswith("▷│")


@pytest.mark.parametrize(
    ("outcome", "mark"), [(Outcome.WARN, "!"), (Outcome.INCONCLUSIVE, "?"), (Outcome.DEVIATION, "~")]
)
def test_marks_tell_outcomes_apart(outcome: Outcome, mark: str) -> None:
    record = made.late().record
    assert record is not None
    finding = replace(made.late().verdict.findings[0], outcome=outcome)
    assert row(ladder.text(record, Verdict(outcome, (finding,))), "CANCEL ").startswith(f"{mark} 3.0083 s")


def test_retransmissions_are_folded_with_their_count() -> None:
    wire = made.Wire(made.header())
    for ms in (0, 500, 1500):
        wire.request(ms, "alice", "sent", "INVITE", origin="script")
    wire.response(1501, "alice", "received", "100 Trying")
    text = ladder.text(wire.record())
    assert [line for line in text.splitlines() if "INVITE" in line] == [row(text, " INVITE x3 ")]
    assert row(text, "INVITE x3").strip().startswith("0.0 ms")


def test_two_provisionals_with_different_sdp_are_not_folded() -> None:
    wire = made.Wire(made.header())
    wire.request(0, "alice", "sent", "INVITE")
    wire.response(1, "alice", "received", "183 Session Progress")
    wire.response(2, "alice", "received", "183 Session Progress", sdp=True)
    text = ladder.text(wire.record())
    assert text.count("183 Session Progress") == 2
    assert " x2" not in text


def test_only_what_the_engine_made_is_named_so() -> None:
    wire = made.fork()
    wire.response(200, "desk", "sent", "486 Busy Here", origin="engine", leg="other")
    text = ladder.text(wire.record())
    assert "486 Busy" in row(text, " [engine] ")
    assert text.count("[") == 1


def test_registrations_are_left_out_while_they_work() -> None:
    assert "REGISTER" not in ladder.text(made.fork().record())
    assert row(ladder.text(made.fork().record()), "INVITE").strip().startswith("0.0 ms")


def test_challenged_registrations_are_left_out() -> None:
    wire = made.Wire(made.header())
    how = {"call_id": "r", "method": "REGISTER"}
    wire.request(0, "desk", "sent", "REGISTER", call_id="r")
    wire.response(1, "desk", "received", "401 Unauthorized", **how)
    wire.request(2, "desk", "sent", "REGISTER", call_id="r", number=2)
    assert "REGISTER" in ladder.text(wire.record())
    wire.response(3, "desk", "received", "200 OK", number=2, **how)
    assert "REGISTER" not in ladder.text(wire.record())


def test_a_registration_that_the_scenario_asks_for_is_shown() -> None:
    wire = made.Wire(made.header())
    wire.request(0, "alice", "sent", "REGISTER", call_id="r")
    wire.response(1, "alice", "received", "200 OK", call_id="r", method="REGISTER")
    assert "REGISTER" not in ladder.text(wire.record())
    asked = Note(made.START, "alice", "call", "sends REGISTER", {"call_id": "r", "method": "REGISTER"})
    assert "REGISTER" in ladder.text(replace(wire.record(), entries=(asked, *wire.record().entries)))


@pytest.mark.parametrize("answer", ["403 Forbidden", "503 Service Unavailable", ""])
def test_a_registration_that_fails_is_shown(answer: str) -> None:
    wire = made.fork()
    wire.request(-10, "mobile", "sent", "REGISTER", call_id="again")
    if answer:
        wire.response(-9, "mobile", "received", answer, call_id="again", method="REGISTER")
    text = ladder.text(wire.record())
    assert text.count("─ REGISTER ─") == 1
    assert text.count(answer[:3] + " ") >= bool(answer)
    assert row(text, "─ REGISTER ─").strip().startswith("-10.0 ms")
    assert row(text, "INVITE").strip().startswith("0.0 ms")


def test_registrations_of_a_refused_agent_are_shown() -> None:
    wire = made.fork()
    wire.entries.append(Note(made.START - 20_000_000, "desk", "refused", "a foreign binding"))
    text = ladder.text(wire.record())
    assert text.count("─ REGISTER ─") == 1
    assert "● desk: a foreign binding" in text


def test_a_registration_that_a_finding_is_about_is_shown() -> None:
    record = made.fork().record()
    register = record.messages[0]
    finding = Finding(Outcome.FAIL, "x", "y", register.agent, message=register)
    assert "✗" in row(ladder.text(record, Verdict(Outcome.FAIL, (finding,))), " REGISTER ")


def direct() -> Record:
    """The ACK to a 2xx goes straight to the desk phone; both ends record it."""
    wire = made.Wire(made.header())
    wire.request(0, "alice", "sent", "INVITE")
    wire.response(5, "alice", "received", "200 OK", to_tag="d")
    sent = wire.request(6, "alice", "sent", "ACK", to_tag="d", remote=wire.port("desk"))
    wire.message(6.3, "desk", "received", sent.data, wire.port("alice"))
    wire.response(7, "desk", "sent", "180 Ringing")
    return wire.record()


def test_agents_that_talk_directly_have_one_arrow_between_them() -> None:
    text = ladder.text(direct())
    assert text.count("ACK to 200") == 1
    line = row(text, "ACK to 200")
    assert (line.count("┼"), line.count("▶"), line.rstrip("│ ").endswith("▶")) == (1, 1, True)
    assert line.index("┼") == ladder.text(direct()).splitlines()[2].index("▶│") + 1


def test_a_finding_at_the_receiving_end_marks_that_arrow() -> None:
    record = direct()
    got = next(m for m in record.messages if m.agent == "desk" and m.direction == "received")
    finding = Finding(Outcome.FAIL, "desk: BYE", "desk got ACK", "desk", message=got)
    assert row(ladder.text(record, Verdict(Outcome.FAIL, (finding,))), "ACK to 200").startswith("✗")


def test_what_was_no_sip_has_its_arrow() -> None:
    wire = made.fork()
    wire.entries.append(
        Malformed(made.START + 10**8, "desk", wire.port("desk"), made.PROXY, b"\0\x1b", "no start line")
    )
    wire.message(110, "alice", "received", b"\x1b[31m")
    text = ladder.text(wire.record())
    assert "no SIP (2 bytes)" in text
    assert "no SIP (5 bytes)" in text


def test_a_dialog_request_and_other_methods_have_their_names() -> None:
    wire = made.Wire(made.header())
    wire.request(0, "alice", "sent", "INVITE", to_tag="t", sdp=True)
    wire.request(1, "alice", "sent", "BYE", to_tag="t", number=2)
    wire.response(2, "alice", "received", "200 OK", method="BYE", number=2)
    text = ladder.text(wire.record())
    assert "re-INVITE (SDP)" in text
    assert "200 OK to BYE" in text


def many(count: int, callers: int = 1) -> Record:
    names = [f"gateway-number-{n}" for n in range(count)]
    roles = tuple(
        Role(name, "caller" if n < callers else "device", "wire", "", name, f"sip:{name}@test.invalid")
        for n, name in enumerate(names)
    )
    wire = made.Wire(made.header(roles=roles))
    for n, name in enumerate(names):
        wire.request(n, name, "sent" if n < callers else "received", "INVITE")
        wire.response(n + 0.5, name, "received" if n < callers else "sent", "480 Temporarily Unavailable")
    return wire.record()


@pytest.mark.parametrize(("agents", "callers"), [(1, 1), (1, 0), (2, 1), (4, 1), (4, 2), (5, 2), (6, 1)])
def test_ladders_of_several_agents_fit(agents: int, callers: int) -> None:
    lines = ladder.text(many(agents, callers), width=100).splitlines()
    assert max(map(cells, lines)) <= 100
    assert len(lines[2].replace(" ", "")) > 0
    assert lines[0].split().index("kamailio") == callers


def test_six_agents_look_bearable(golden: Golden) -> None:
    golden("ladder-six.txt", ladder.text(many(6)))


def test_names_stay_apart_when_they_are_cut() -> None:
    head = ladder.text(many(6)).splitlines()[0].split()
    assert len(set(head)) == len(head) == 7


def test_long_ladders_show_beginning_end_and_what_is_marked() -> None:
    wire = made.Wire(made.header())
    for n in range(1000):
        wire.request(n, "alice", "sent", "OPTIONS", number=n + 1)
    record = wire.record()
    finding = Finding(Outcome.FAIL, "x", "y", "alice", message=record.messages[500])
    lines = ladder.text(record, Verdict(Outcome.FAIL, (finding,))).splitlines()
    assert len(lines) <= ladder.MAX_ROWS + 5
    assert [line for line in lines if line.startswith("✗")] == [row("\n".join(lines), "  500.0 ms").strip()]
    shown = sum("OPTIONS" in line for line in lines)
    left_out = [int(line.split()[1]) for line in lines if "more" in line]
    assert shown + sum(left_out) == 1000
    assert len(left_out) == 2


@pytest.mark.parametrize(
    ("width", "label"),
    [(100, " 200 OK to SUBSCRIBE x2 "), (45, " 200 to SUBSCRIBE x2 "), (42, " 200 SUBSCRIBE x2 "), (30, " 200… x2 ")],
)
def test_labels_lose_the_reason_before_the_method_and_never_the_count(width: int, label: str) -> None:
    wire = made.Wire(made.header(roles=made.header().roles[:1]))
    for ms in (0, 1):
        wire.response(ms, "alice", "received", "200 OK", method="SUBSCRIBE")
    assert label in ladder.text(wire.record(), width=width)


def test_an_empty_record_has_only_its_heads() -> None:
    assert len(ladder.text(Record(made.header(), ())).splitlines()) == 2


def test_times() -> None:
    cases = {
        0: "0.0 ms",
        105_249_000: "105.2 ms",
        999_940_000: "999.9 ms",
        999_960_000: "1.0000 s",
        3_008_312_000: "3.0083 s",
    }
    cases |= {12_345_678_000: "12.346 s", 180_000_000_000: "180.0 s", -30_000_000: "-30.0 ms"}
    assert {ns: ladder.offset(ns, 0).strip() for ns in cases} == cases
    assert {len(ladder.offset(ns, 0)) for ns in cases} == {9}


texts = st.text(st.characters(), max_size=40)
messages = st.builds(
    Message, st.integers(0, 10**10), st.just(0), texts, st.sampled_from(["sent", "received"]),
    st.tuples(st.just("127.0.0.1"), st.integers(1, 5)), st.tuples(st.just("127.0.0.1"), st.integers(1, 5)),
    st.one_of(st.binary(max_size=60), st.builds(lambda t: f"SIP/2.0 200 {t}".encode("utf-8", "replace"), texts)),
    st.sampled_from(["script", "engine"]),
)  # fmt: skip


@given(st.lists(messages, max_size=12), st.lists(texts, max_size=3), texts, st.integers(20, 140))
@settings(deadline=None)
def test_no_record_breaks_a_ladder_or_the_terminal(found: list, names: list, system: str, width: int) -> None:
    roles = tuple(Role(n, "caller", "wire", "", "", "") for n in dict.fromkeys(names))
    header: Header = made.header(roles=roles, system=system)
    record = Record(header, tuple(sorted(found, key=lambda m: m.time)))
    marked = tuple(Finding(Outcome.FAIL, "x" + system, "y", m.agent, message=m) for m in found[:2])
    missing = tuple(Finding(Outcome.FAIL, n, "y", n, missing_at=5) for n in names)
    text = ladder.text(record, Verdict(Outcome.FAIL, marked + missing), width)
    assert all(line.isprintable() for line in text.split("\n"))
    assert len({m.time for m in found}) == 0 or "│" in text
