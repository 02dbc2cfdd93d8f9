"""`sip-harness judge` with a capture: one call of it, or all one after the other."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import click

from sip_harness.capture.legs import Node
from sip_harness.capture.packets import BadCapture
from sip_harness.capture.record import assign, record, unseen
from sip_harness.capture.story import Story
from sip_harness.capture.unseen import Part, judged_part
from sip_harness.capture.wording import visible
from sip_harness.cli.captures import choose, listed, stop
from sip_harness.language import LanguageError, load_profile
from sip_harness.model.policy import Kind, Policy
from sip_harness.model.profile import BuiltInProfile
from sip_harness.model.result import Result
from sip_harness.model.scenario import Scenario
from sip_harness.model.verdict import Outcome, Verdict, exit_code
from sip_harness.report import explain, summary
from sip_harness.verdict import judge

_MOST_EXPLAINED = 20
"""Calls that did not pass of which more than a line is told."""


@dataclass(frozen=True)
class Terms:
    """How calls of a capture are judged."""

    scenario: Scenario
    agents: Mapping[str, Node]
    hidden: frozenset[str]
    """Who the capture cannot show."""
    system: str
    policy: Policy
    kind: Kind | None
    file: str


def judge_calls(
    scenarios: Sequence[Scenario],
    scenario_file: Path,
    file: Path,
    systems: Sequence[Node],
    agents: Mapping[str, Node],
    hidden: Sequence[str],
    number: int | None,
    profile: Path | None,
    *,
    strict: bool,
) -> NoReturn:
    """Judge the call of that number, or all, and end the command with the status of their verdicts."""
    if len(scenarios) != 1:
        stop(f"{scenario_file} has {len(scenarios)} cases; a capture is judged by one scenario")
    policy, kind, name = _profile(profile)
    calls, found = choose(file, systems, number, judged=True)
    if found.vague:
        click.echo(f"{file}: {found.vague}: only the order of its messages is judged", err=True)
    terms = Terms(scenarios[0], agents, frozenset(hidden), name, policy, kind, str(file))
    if len(calls) > 1:
        sys.exit(exit_code(_all(calls, terms, file), strict=strict))
    try:
        result, part = judged(calls[0], terms)
    except BadCapture as error:
        stop(f"{file}: {error}")
    click.echo(summary.line(result))
    click.echo(explain.text(result))
    if not calls[0].tried and not part.agents:
        click.echo("It shows nobody whom the system called; if it cannot show them, say `--unseen NAME`.", err=True)
    sys.exit(exit_code([result.verdict.outcome], strict=strict))


def judged(story: Story, terms: Terms) -> tuple[Result, Part]:
    """The verdict on one call, and what of the scenario it is about. Raises BadCapture as `assign` does."""
    scenario = terms.scenario
    cast = assign(story, scenario, terms.agents, terms.hidden)
    part = judged_part(scenario, unseen(story, scenario, cast, terms.hidden))
    recorded = record(story, scenario, cast, system=terms.system, policy=terms.policy, kind=terms.kind)
    if part.judged:
        verdict = judge(part.scenario, recorded)
        verdict = replace(verdict, reason="\n".join(filter(None, (verdict.reason, str(part)))))
    else:
        verdict = Verdict(Outcome.SKIP, reason=f"nothing of it can be judged: {part}")
    last = max(entry.time for entry in recorded.entries)
    length = (last - recorded.header.started) / 1e9
    return Result(scenario, verdict, recorded, length, system=terms.system, record_file=terms.file), part


def _all(calls: Sequence[Story], terms: Terms, file: Path) -> list[Outcome]:
    """A line for every call, and more of those that did not pass."""
    outcomes, bad = [], list[tuple[int, Result]]()
    for number, story in enumerate(calls, 1):
        try:
            result, part = judged(story, terms)
        except BadCapture as error:
            verdict, left = Verdict(Outcome.SKIP, reason=str(error)), str(error)
        else:
            verdict, left = result.verdict, str(part)
            if verdict.outcome not in (Outcome.PASS, Outcome.SKIP):
                bad.append((number, result))
        outcomes.append(verdict.outcome)
        click.echo(f"{verdict.outcome.value:12}{listed(number, story)}" + (f"  ({visible(left)})" if left else ""))
    for number, result in bad[:_MOST_EXPLAINED]:
        click.echo(f"\ncall {number} of {visible(str(file))}\n{explain.text(result)}")
    if len(bad) > _MOST_EXPLAINED:
        click.echo(f"\nand {len(bad) - _MOST_EXPLAINED} more; `--call N` tells of each")
    counted = Counter(outcomes)
    click.echo(f"{len(calls)} calls: " + ", ".join(f"{counted[o]} {o.value}" for o in Outcome if counted[o]))
    return outcomes


def _profile(file: Path | None) -> tuple[Policy, Kind | None, str]:
    """What a profile says of the system; without one only what every system has."""
    if file is None:
        return Policy(), None, "captured"
    try:
        known = load_profile(file)
    except LanguageError as error:
        stop(str(error))
    if isinstance(known, BuiltInProfile):
        stop(f"{file} is of a built-in system; what is in a capture is an external one")
    return known.policy, known.kind, known.name
