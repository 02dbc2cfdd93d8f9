"""Scenarios as pytest items, and the `sip` fixture, as users meet them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

FORK = """
title: A phone that is busy everywhere stops the other phones
id: {id}
cite: RFC 3261 16.7 step 5
tags: [busy, fork]
needs: [ring]
targets: {{bob: {{ring: [desk, mobile]}}}}
devices:
  desk:   {{answer: [ringing, after: mobile sends 180, 600]}}
  mobile: {{answer: [ringing]}}
calls: [{{from: alice, to: bob}}]
expect:
  alice:  [{final}]
  mobile: [INVITE, CANCEL, ACK to 487]
"""
PYTHON = """
def test_600_stops_the_other_phones(sip):
    sip.cite("RFC 3261 16.7 step 5")
    sip.ring("bob", desk=["ringing", "after mobile sends 180", "busy-everywhere"], mobile=["ringing"])
    sip.call("alice", to="bob")
    sip.expect(alice=["{final}"], desk=["INVITE", "ACK to 600"], mobile=["INVITE", "CANCEL", "ACK to 487"])
    sip.run()
"""


def write(pytester: pytest.Pytester, *ids: str, final: str = "600 from desk") -> None:
    for name in ids:
        (pytester.path / f"{name}.sip.yaml").write_text(FORK.format(id=name, final=final))


def run(pytester: pytest.Pytester, *args: str, stack: str = "wire") -> pytest.RunResult:
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", "--sip-stack", stack, *args, timeout=60)


class TestItems:
    def test_a_scenario_passes_under_its_node_id(self, pytester: pytest.Pytester) -> None:
        write(pytester, "FK-01")
        result = run(pytester, "-v")
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines(["*system reference*", "FK-01.sip.yaml::FK-01 PASSED*"])

    def test_one_node_id_tags_and_words_select(self, pytester: pytest.Pytester) -> None:
        write(pytester, "FK-01", "FK-02")
        run(pytester, "FK-02.sip.yaml::FK-02").assert_outcomes(passed=1)
        run(pytester, "-m", "fork", "-k", "FK-01").assert_outcomes(passed=1, deselected=1)

    def test_a_failure_explains_itself_without_a_traceback(self, pytester: pytest.Pytester) -> None:
        write(pytester, "FK-01")
        result = run(pytester, "--sip-fault", "forks-on-after-6xx")
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*CANCEL reached mobile * after desk sent 600*", "*RFC 3261 16.7 step 5*"])
        result.stdout.no_fnmatch_line("*Traceback*")
        result.stdout.no_fnmatch_line("*pytest_plugin.py*")

    def test_pytests_summary_says_what_was_seen(
        self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", "200")
        write(pytester, "FK-01", final="486 from desk")
        pytester.makepyfile(PYTHON.format(final="486 from desk"))
        lines = run(pytester).outlines
        summary = [line for line in lines if line.startswith("FAILED ")]
        assert len(summary) == 2
        assert "::FK-01 - alice got 600 Busy" in summary[0]
        assert " - SipFailure: alice got 600 Busy" in summary[1]

    def test_a_wrong_profile_is_told_in_full_once(self, pytester: pytest.Pytester) -> None:
        write(pytester, "A-1", "A-2", "A-3")
        (pytester.path / "my.system.yaml").write_text("name: my\nkind: proxi\naddress: 127.0.0.1:5099\nrols: {}\n")
        result = run(pytester, "--sip-system", "my.system.yaml")
        result.assert_outcomes(errors=3)
        # Without pytest's summary, which repeats whole messages where the variable CI is set.
        shown = result.stdout.str().partition("short test summary")[0].splitlines()
        assert sum(line.startswith("my.system.yaml:4:1: ") for line in shown) == 1
        assert sum(line.startswith("my.system.yaml:2:7: ") for line in shown) == 3

    def test_a_harness_fault_is_an_error_not_a_failure(self, pytester: pytest.Pytester) -> None:
        write(pytester, "FK-01")
        result = run(pytester, "--sip-system", "nowhere")
        result.assert_outcomes(errors=1)

    def test_a_system_that_there_is_not_is_told_without_a_traceback(self, pytester: pytest.Pytester) -> None:
        write(pytester, "FK-01")
        pytester.makepyfile(PYTHON.format(final="600 from desk"))
        for system, why in (
            ("nowhere", "unknown system 'nowhere'; known: *"),
            ("x.yaml", "x.yaml: there is no such *"),
        ):
            result = run(pytester, "--sip-system", system)
            result.assert_outcomes(errors=2)
            result.stdout.fnmatch_lines([why])
            result.stdout.no_fnmatch_line("*Error*:*")

    @pytest.mark.parametrize(
        ("option", "value", "why"),
        [
            ("--sip-stack", "bogus", "ERROR: --sip-stack: 'bogus' is none of auto, pjsua2, wire"),
            ("--sip-jobs", "0", "ERROR: --sip-jobs: '0' is no number from 1 to 64"),
            ("--sip-out", "/dev/full", "ERROR: --sip-out: /dev/full is no directory"),
        ],
    )
    def test_a_wrong_option_is_refused_before_anything_runs(
        self, option: str, value: str, why: str, pytester: pytest.Pytester
    ) -> None:
        write(pytester, "FK-01")
        result = run(pytester, option, value)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([why])

    @pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
    def test_reports_that_cannot_be_written_end_the_run_in_clear_words(
        self, workers: tuple[str, ...], pytester: pytest.Pytester
    ) -> None:
        write(pytester, "FK-01")
        (pytester.path / "out" / "report.html").mkdir(parents=True)
        result = run(pytester, "--sip-out", "out", *workers)
        result.assert_outcomes(passed=1)
        assert result.ret == pytest.ExitCode.INTERNAL_ERROR
        result.stdout.fnmatch_lines(["sip-harness: the reports could not be written to out: Is a directory"])
        result.stderr.no_fnmatch_line("*Traceback*")

    def test_a_missing_capability_is_a_skip_with_the_reason(self, pytester: pytest.Pytester) -> None:
        write(pytester, "FK-01")
        path = pytester.path / "FK-01.sip.yaml"
        path.write_text(path.read_text().replace("needs: [ring]", "needs: [tls]"))
        result = run(pytester, "-rs")
        result.assert_outcomes(skipped=1)
        result.stdout.fnmatch_lines(["SKIPPED*tls*"])

    def test_a_scenario_is_found_by_what_it_shows_besides(self, pytester: pytest.Pytester) -> None:
        write(pytester, "FK-01")
        write(pytester, "FK-02")
        path = pytester.path / "FK-02.sip.yaml"
        path.write_text(path.read_text() + "covers: [SH-07]\n")
        result = run(pytester, "-k", "SH-07", "-v")
        result.assert_outcomes(passed=1, deselected=1)
        result.stdout.fnmatch_lines(["*::FK-02 PASSED*"])

    def test_junit_has_the_properties_and_the_explanation(self, pytester: pytest.Pytester) -> None:
        write(pytester, "FK-01", final="486 from desk")
        run(pytester, "--junitxml", "junit.xml")
        [case] = ET.parse(pytester.path / "junit.xml").iter("testcase")
        properties = {p.get("name"): p.get("value") for p in case.iter("property")}
        assert properties["sip.id"] == "FK-01"
        assert properties["sip.rfc"] == "RFC 3261 16.7 step 5"
        assert properties["sip.system"] == "reference"
        assert properties["sip.stack.desk"] == "wire"
        [failure] = case.iter("failure")
        assert "alice got 600" in (failure.text or "")

    def test_out_keeps_records_and_reports(self, pytester: pytest.Pytester) -> None:
        write(pytester, "FK-01")
        run(pytester, "--sip-out", "out").assert_outcomes(passed=1)
        names = {p.name for p in (pytester.path / "out").iterdir()}
        assert {"FK-01.jsonl", "FK-01.pcapng", "report.html", "junit.xml"} <= names

    def test_items_run_ahead_of_their_turn_and_keep_their_own_verdicts(self, pytester: pytest.Pytester) -> None:
        write(pytester, "A-1", "A-2", "A-3")
        write(pytester, "B-1", final="486 from desk")
        result = run(pytester, "--sip-jobs", "3", "-v")
        result.assert_outcomes(passed=3, failed=1)
        result.stdout.fnmatch_lines(["B-1.sip.yaml::B-1 FAILED*"])

    def test_under_xdist(self, pytester: pytest.Pytester) -> None:
        write(pytester, "A-1", "A-2", "A-3", "A-4")
        write(pytester, "B-1", final="486 from desk")
        run(pytester, "-n", "2", "--sip-out", "out").assert_outcomes(passed=4, failed=1)
        out = pytester.path / "out"
        assert {p.name for p in out.iterdir() if p.suffix != ".jsonl" and p.suffix != ".pcapng"} == {
            "report.html", "junit.xml", "deviations.yaml",
        }  # fmt: skip
        ids = [case.get("name") for case in ET.parse(out / "junit.xml").iter("testcase")]
        assert ids == ["A-1", "A-2", "A-3", "A-4", "B-1"]

    def test_options_may_stand_in_the_ini_file(self, pytester: pytest.Pytester) -> None:
        write(pytester, "FK-01")
        pytester.makeini("[pytest]\nsip_fault = forks-on-after-6xx\nsip_stack = wire\n")
        pytester.runpytest_subprocess(timeout=60).assert_outcomes(failed=1)


def test_an_authors_mistake_stops_collection_with_its_place(pytester: pytest.Pytester) -> None:
    write(pytester, "FK-01", final="600 from desc")
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*FK-01.sip.yaml:13:*did you mean 'desk'*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_collection_starts_nothing(pytester: pytest.Pytester) -> None:
    write(pytester, "FK-01")
    result = run(pytester, "--collect-only", "-q", "--sip-system", "nowhere")
    result.stdout.fnmatch_lines(["FK-01.sip.yaml::FK-01"])


def test_strict_markers_know_the_tags(pytester: pytest.Pytester) -> None:
    write(pytester, "FK-01")
    result = run(pytester, "--collect-only", "--strict-markers", "-q")
    assert result.ret == 0


class TestFixture:
    def test_the_600_test_in_python(self, pytester: pytest.Pytester) -> None:
        pytester.makepyfile(PYTHON.format(final="600 from desk"))
        run(pytester).assert_outcomes(passed=1)

    def test_it_fails_with_the_explanation(self, pytester: pytest.Pytester) -> None:
        pytester.makepyfile(PYTHON.format(final="486 from desk"))
        result = run(pytester)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*alice got 600*from desk instead*"])

    def test_a_failure_shows_nothing_of_the_plugin(self, pytester: pytest.Pytester) -> None:
        pytester.makepyfile(PYTHON.format(final="486 from desk"))
        run(pytester).stdout.no_fnmatch_line("*judge_result*")

    def test_a_text_where_a_list_belongs_is_one_mistake(self, pytester: pytest.Pytester) -> None:
        pytester.makepyfile(
            """
            def test_text(sip):
                sip.ring("bob", desk="ringing, busy-here")
                sip.call("alice", to="bob")
                sip.expect(alice=["486"])
                sip.run()
            """
        )
        result = run(pytester)
        result.stdout.fnmatch_lines(["*:2: devices.desk.answer: expected a list, found text*"])
        # Counted in the failure alone: pytest's summary repeats its first line where the variable CI is set.
        assert sum(line.startswith("E ") and "devices.desk.answer" in line for line in result.outlines) == 1

    def test_a_mistake_names_the_line_of_the_test(self, pytester: pytest.Pytester) -> None:
        pytester.makepyfile(PYTHON.format(final="600 from desc"))
        result = run(pytester)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*test_a_mistake_names_the_line_of_the_test.py:5*desc*did you mean 'desk'*"])
        result.stdout.no_fnmatch_line("*pytest_sip.py*")  # the traceback is that of the test alone

    def test_a_failure_shows_the_line_that_expected_it(self, pytester: pytest.Pytester) -> None:
        pytester.makepyfile(PYTHON.format(final="486 from desk"))
        shown = run(pytester).stdout
        shown.fnmatch_lines(
            ["*test_a_failure_shows_the_line_that_expected_it.py:5*", "*sip.expect(alice=*486 from desk*"]
        )

    def test_a_scenario_that_is_never_run_is_an_error(self, pytester: pytest.Pytester) -> None:
        pytester.makepyfile(PYTHON.format(final="600 from desk").replace("    sip.run()\n", ""))
        result = run(pytester)
        result.assert_outcomes(passed=1, errors=1)
        result.stdout.fnmatch_lines(["*never run*"])


def test_the_plugin_costs_other_peoples_runs_nothing(pytester: pytest.Pytester) -> None:
    """It is loaded into every pytest run on the machine."""
    pytester.makepyfile(
        """
        import sys
        def test_light():
            heavy = {"pydantic", "rich", "jinja2", "pjsua2", "sip_harness.run", "sip_harness.language"}
            assert not heavy & set(sys.modules)
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_paths_in_the_checkout_are_collected(checkout: Path, pytester: pytest.Pytester) -> None:
    result = run(pytester, "--collect-only", "-q", str(checkout / "scenarios" / "busy"))
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*600-stops-the-other-phones.sip.yaml::FK-01"])
