"""Profiles that users start from, without the systems that they are of: they load, and the shipped scenarios find their
places in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from sip_harness.cli.main import main
from sip_harness.language import EXAMPLES, TEMPLATE, load, load_profile
from sip_harness.model.profile import Profile
from sip_harness.model.scenario import Scenario
from sip_harness.model.vocabulary import CAPABILITIES, GRANTED
from sip_harness.systems.base import CannotBind
from sip_harness.systems.placing import place
from sip_harness.verdict.choose import Says, resolved


def profile(name: str) -> Profile:
    file = EXAMPLES[name]
    found = load_profile(file, dict.fromkeys(re.findall(r"\$([A-Z0-9_]+)", file.read_text()), "x"))
    assert isinstance(found, Profile)
    return found


@pytest.fixture(scope="module")
def library(checkout: Path) -> list[Scenario]:
    return load([checkout / "scenarios"])


def test_an_example_is_printed_by_its_name() -> None:
    for name, file in EXAMPLES.items():
        done = CliRunner().invoke(main, ["systems", name, "--template"])
        assert (done.exit_code, done.output) == (0, file.read_text())
    assert CliRunner().invoke(main, ["systems", "--template"]).output == TEMPLATE.read_text()
    wrong = CliRunner().invoke(main, ["systems", "asterix", "--template"])
    assert (wrong.exit_code, "unknown template 'asterix'; did you mean asterisk?" in wrong.output) == (2, True)


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_a_scenario_cannot_have_there_is_said_in_words_of_the_profile(name: str, library: list[Scenario]) -> None:
    example, missing, bound, roleless = profile(name), set(), 0, 0
    for scenario in library:
        try:
            place(scenario, example, {})
            bound += 1
        except CannotBind as error:
            roleless += "no role" in str(error)
            missing |= set(str(error).removeprefix(f"{example.name}: ").split("; "))
    lacks = {
        word for text in missing if (found := re.fullmatch(r"it lacks (.*)", text)) for word in found[1].split(", ")
    }
    assert lacks <= {*CAPABILITIES}
    assert lacks >= {*GRANTED} - example.capabilities, "what it lacks is asked for by some scenario"
    assert roleless < len(library) / 50, "accounts for nearly all that the library has"
    assert bound > len(library) / 3


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_bound_can_be_judged_by_its_policy(name: str, library: list[Scenario]) -> None:
    example = profile(name)
    says = Says(example.name, example.kind, example.policy)
    for scenario in library:
        try:
            place(scenario, example, {})
        except CannotBind:
            continue
        resolved(scenario, says)


@pytest.mark.parametrize("name", EXAMPLES)
def test_deviations_are_of_scenarios_that_there_are(name: str, library: list[Scenario]) -> None:
    ids = {scenario.id for scenario in library}
    assert {deviation.scenario for deviation in profile(name).policy.deviations} <= ids
