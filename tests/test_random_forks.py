"""Forks that nobody thought of: whatever devices do, a system does what the rules want, up to its known deviations.

A disagreement is shrunk by hypothesis; what is left of it is a scenario file, in the failure's text.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sip_harness.language import load_text
from sip_harness.model.result import Result
from sip_harness.model.verdict import Outcome
from sip_harness.run.session import Options, Session, open_session
from sip_harness.systems.registry import create

SIDE_BY_SIDE = 6
"""Forks of one example: they run at once, so that waiting for one is waiting for all."""
PATIENCE = 50.0
"""Seconds after which what has been found is simple enough: timers of a system take their time."""
CODES = (200, 302, 401, 404, 407, 480, 486, 499, 500, 503, 599, 600, 603, 699)
NAMES = ("desk", "mobile", "softphone", "kitchen", "attic")


@dataclass(frozen=True)
class Phone:
    """What one device does, in steps of 40 ms."""

    provisional: int | None
    final: int | None
    code: int
    stubborn: bool = False
    """It goes on as if it had not been cancelled, so that its final response crosses the CANCEL or comes late."""

    @property
    def answer(self) -> str:
        """Its script."""
        steps = [] if self.provisional is None else [*_wait(self.provisional), "180"]
        if self.final is not None:
            steps += [*_wait(self.final), str(self.code)]
        reacts = ", on: {CANCEL: [200]}" if self.stubborn and self.final is not None else ""
        return f"answer: [{', '.join(steps) or 'silence'}]{reacts}"


def _wait(ticks: int) -> list[str]:
    return [f"wait {40 * ticks}ms"] if ticks else []


def reaches(shape: str, names: tuple[str, ...]) -> str:
    """The target of a fork: all phones at once, in turn, or the first two at once and then the others in turn."""
    if shape == "groups" and len(names) > 2:
        return f"hunt: [[{', '.join(names[:2])}], {', '.join(names[2:])}]"
    return f"{'ring' if shape == 'ring' else 'hunt'}: [{', '.join(names)}]"


def text(phones: tuple[Phone, ...], cancel: int | None, shape: str, number: int) -> str:
    """The scenario file of a fork."""
    names = NAMES[: len(phones)]
    devices = "\n".join(f"  {name}: {{{phone.answer}}}" for name, phone in zip(names, phones, strict=True))
    gives_up = f", cancel: {40 * cancel}ms" if cancel is not None else ""
    return (
        f"title: A fork that nobody thought of\nid: RANDOM-{number}\ncite: RFC 3261 16\n"
        f"targets: {{bob: {{{reaches(shape, names)}}}}}\ndevices:\n{devices}\n"
        f"calls: [{{from: alice, to: bob{gives_up}}}]\nexpect: rfc3261\n"
    )


phones = st.builds(
    Phone,
    st.sampled_from([0, 0, 0, 1, 3, None]),
    st.sampled_from([0, 1, 2, 4, 5, 7, None]),
    st.sampled_from(CODES),
    st.sampled_from([False, False, True]),
)
forks = st.tuples(
    st.lists(phones, min_size=2, max_size=5).map(tuple),
    st.one_of(st.none(), st.none(), st.integers(1, 12)),
    st.sampled_from(["ring", "ring", "hunt", "groups"]),
)


Fork = tuple[tuple[Phone, ...], int | None, str]


def allowed(system: str, fork: Fork) -> Fork:
    """The fork without what is a known deviation. Kamailio answers a caller who gives up with its own 487 at once while
    a phone has said nothing that could be cancelled, or was cancelled already for the 6xx of another one and is not yet
    over, whatever others have answered: not as RFC 3261 16.7 steps 5 and 6."""
    phones, cancel, shape = fork
    silent = cancel is not None and any(p.provisional is None or p.provisional >= cancel for p in phones)
    refused = any(p.code >= 600 and p.final is not None for p in phones)
    return (phones, None, shape) if system == "kamailio" and (silent or refused or shape != "ring") else fork


class Stage:
    """A system that stays up from one example to the next."""

    def __init__(self, system: str, faults: tuple[str, ...] = ()) -> None:
        self.system = system
        self.runner = asyncio.Runner()
        self.opening = open_session(create(system, faults=faults), Options("wire", SIDE_BY_SIDE), [])
        self.session: Session = self.runner.run(self.opening.__aenter__())

    def run(self, texts: list[str]) -> list[Result]:
        """The results of these scenarios, run side by side."""
        scenarios = [load_text(one, f"random-{n}.sip.yaml") for n, one in enumerate(texts)]

        async def work() -> list[Result]:
            return list(await asyncio.gather(*(self.session.run(one) for one in scenarios)))

        return self.runner.run(work())

    def close(self) -> None:
        self.runner.run(self.opening.__aexit__(None, None, None))
        self.runner.close()


@pytest.fixture(scope="module", params=["reference", pytest.param("kamailio", marks=pytest.mark.needs_kamailio)])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    made = Stage(request.param)
    yield made
    made.close()


def complaint(result: Result) -> str:
    """What the judge has against it; empty if the rules hold."""
    found = "\n".join(f"{f.outcome.value}: {f.expected}; {f.seen} ({f.cite})" for f in result.verdict.findings)
    return "" if result.verdict.outcome is Outcome.PASS else f"{result.verdict.outcome.value} {found}"


def simpler(fork: Fork) -> Iterator[Fork]:
    """What may show the same with less."""
    phones, cancel, shape = fork
    if cancel is not None:
        yield phones, None, shape
    if shape != "ring":
        yield phones, cancel, "ring"
    for n, phone in enumerate(phones):
        rest = phones[:n], phones[n + 1 :]
        if len(phones) > 1:
            yield (*rest[0], *rest[1]), cancel, shape
        for plain in (
            replace(phone, stubborn=False),
            replace(phone, final=None),
            replace(phone, provisional=None),
            replace(phone, code=486),
        ):
            if plain != phone:
                yield (*rest[0], plain, *rest[1]), cancel, shape


def shrunk(stage: Stage, fork: Fork, until: float | None = None) -> tuple[str, str]:
    """The simplest scenario that still breaks a rule, and which; the simplest found by `until` (monotonic seconds)."""
    until = time.monotonic() + PATIENCE if until is None else until
    written = text(*fork, 1)
    said = complaint(stage.run([written])[0])
    for candidate in simpler(fork) if said else ():
        if time.monotonic() > until:
            break
        if complaint(stage.run([text(*candidate, 1)])[0]):
            return shrunk(stage, candidate, until)
    return written, said


@settings(max_examples=5, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(some=st.lists(forks, min_size=SIDE_BY_SIDE, max_size=SIDE_BY_SIDE))
def test_a_random_fork_is_as_the_rules_want_it(stage: Stage, tmp_path: Path, some: list[Fork]) -> None:
    some = [allowed(stage.system, fork) for fork in some]
    texts = [text(*fork, number) for number, fork in enumerate(some, 1)]
    for fork, written, result in zip(some, texts, stage.run(texts), strict=True):
        if said := complaint(result):
            simplest, why = shrunk(stage, fork)
            file = tmp_path / "found.sip.yaml"
            file.write_text(simplest if why else written)
            pytest.fail(f"{file}:\n{simplest if why else written}\n{why or said}")


def test_what_breaks_a_rule_is_shrunk_to_a_scenario_that_shows_it() -> None:
    stage = Stage("reference", ("maps-600-to-486",))
    fork: Fork = ((Phone(1, 2, 404), Phone(0, 1, 600), Phone(0, 7, 200)), 6, "ring")
    written, said = shrunk(stage, fork)
    stage.close()
    assert written.count("answer") == 1
    assert "600" in written
    assert "alice got 486 Busy Here" in said
