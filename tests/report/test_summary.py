"""One line per run, one for all."""

from __future__ import annotations

from dataclasses import replace

import fork_records as made
import pytest
from rich.style import Style

from sip_harness.model.verdict import Outcome, Verdict
from sip_harness.report import summary


def test_a_line_has_verdict_id_title_system_seconds_and_stacks() -> None:
    assert summary.line(made.late()) == (
        "fail          FK-01          A phone that is busy everywhere stops the other…  kamailio           4.20 s"
        "  alice wire, desk pjsua2, mobile wire"
    )


def test_a_skip_says_why() -> None:
    result = made.result(None, verdict=Verdict(Outcome.SKIP, reason="kamailio lacks hunt\nsecond line"), seconds=0)
    assert summary.line(result).endswith("0.00 s  kamailio lacks hunt")


def test_columns_stand_below_each_other() -> None:
    titles = ("x", "電話" * 40, "y" * 200, "")
    results = [replace(made.good(), scenario=made.scenario(title=t)) for t in titles]
    assert {summary.cells(summary.line(r).partition("kamailio")[0]) for r in results} == {79}


def test_repetitions_are_numbered_from_the_second_on() -> None:
    assert [summary.name(replace(made.good(), repeat=n)) for n in range(3)] == ["FK-01", "FK-01#2", "FK-01#3"]


def test_hostile_titles_are_escaped() -> None:
    result = made.result(None, system="\x1b[2J", verdict=Verdict(Outcome.SKIP, reason="\x07"))
    result = replace(result, scenario=made.scenario(id="\x00", title="\x1b]0;x\x07"))
    assert summary.line(result).isprintable()


@pytest.mark.parametrize("outcome", Outcome)
def test_every_verdict_has_a_style_and_is_counted(outcome: Outcome) -> None:
    Style.parse(summary.STYLES[outcome])
    results = [made.result(None, verdict=Verdict(outcome))] * 2
    assert f"2 {outcome.value}" in summary.counts(results)
    assert summary.counts(results).count(" 0 ") == 7
    assert summary.pieces(results[0])[0][0].strip() == outcome.value


def test_counts() -> None:
    assert summary.counts([made.good(), made.late(), made.good()]) == (
        "3 runs: 2 pass, 0 warn, 0 deviation, 1 fail, 0 skip, 0 blocked, 0 inconclusive, 0 error"
    )
    assert summary.counts([made.good()]).startswith("1 run: 1 pass")
    assert summary.counts([]).startswith("0 runs: 0 pass")


def test_what_did_not_hold_is_said_again_where_many_have_run() -> None:
    skipped = made.result(None, verdict=Verdict(Outcome.SKIP, reason="kamailio lacks hunt"))
    blocked = made.result(None, verdict=Verdict(Outcome.BLOCKED, reason="403 to REGISTER\nof desk"))
    results = [*[made.good()] * summary.LONG, skipped, blocked, made.late(), made.good()]
    said = ["".join(text for text, _ in line) for line in summary.recap(results)]
    assert [line.split()[0] for line in said] == ["fail", "blocked"]
    finding = made.late().verdict.findings[0]
    assert f"{finding.place}: {finding.seen[:60]}" in said[0]
    assert said[1].endswith(f"{made.scenario().place}: 403 to REGISTER")


def test_few_runs_are_not_said_again() -> None:
    assert summary.recap([made.late()] * summary.LONG) == []


def test_the_worst_comes_first_and_equals_keep_their_order() -> None:
    results = [made.result(None, verdict=Verdict(outcome), seconds=n) for n in (0, 1) for outcome in Outcome]
    ordered = summary.worst_first(results)
    assert [r.verdict.outcome for r in ordered[::2]] == list(summary.WORST_FIRST)
    assert {r.seconds for r in ordered[::2]} == {0}
    assert len(summary.WORST_FIRST) == len(Outcome)


def test_a_recap_is_escaped() -> None:
    hostile = made.result(None, verdict=Verdict(Outcome.ERROR, reason="\x1b[2Jgone"))
    [line] = summary.recap([*[made.good()] * summary.LONG, hostile])
    assert "".join(text for text, _ in line).isprintable()
