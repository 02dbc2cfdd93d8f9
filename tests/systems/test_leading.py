"""Where agents send the system to: `{uri of NAME}` in every place where an agent writes headers."""

from __future__ import annotations

import pytest

from sip_harness.language import load_text
from sip_harness.model.scenario import Scenario
from sip_harness.model.steps import Request, Send
from sip_harness.model.system import User
from sip_harness.systems.base import Binding
from sip_harness.systems.leading import led

TEXT = """
title: t
id: T-1
targets: {{bob: {{ring: [desk]}}, pstn: {{hunt: [g1, g2]}}}}
devices:
  desk:
    answers: [{{when: {{from: alice}}, answer: [302: {{headers: {{Contact: '{value}'}}}}]}}, always: [486]]
    on: {{OPTIONS: [[302: {{headers: {{Contact: '{value}'}}}}]]}}
  spare: {{answer: [486]}}
carriers:
  g1: {{answer: [302: {{headers: {{Contact: ['{value}', '<sip:x@y>']}}}}]}}
  g2: {{answer: [486], transport: tcp}}
calls:
  - {{from: alice, to: bob, headers: {{X-To: '{value}'}}, then: [send: {{INFO: {{headers: {{X-To: '{value}'}}}}}}]}}
  - {{from: alice, to: pstn, on: {{OPTIONS: [302: {{headers: {{Contact: '{value}'}}}}]}}}}
expect: {{desk: reached, spare: never, g1: reached, g2: never}}
"""
BINDING = Binding(
    users={
        "alice": User("alice-1", "pbx"),
        "desk": User("bob-1", "pbx"),
        "spare": User("spare-1", "pbx"),
        "g1": User("pstn-1", "pbx"),
        "g2": User("pstn-1", "pbx"),
    },
    uris={"bob": "sip:bob-1@pbx", "pstn": "sip:pstn-1@pbx:5061"},
    registers=frozenset({"desk", "spare"}),
    listens={"g1": ("127.0.0.2", 5070), "g2": ("127.0.0.3", 5071)},
)


def written(scenario: Scenario) -> list[str]:
    """Everything that an agent writes into headers, in the order of TEXT."""
    scripts = [device.script for device in scenario.devices]
    scripts += [call.script for call in scenario.calls if call.script is not None]
    lists = [one for script in scripts for one in (*script.lists, *(x for r in script.reactions for x in r.lists))]
    steps = [step for one in lists for step in one]
    steps += [step for call in scenario.calls for step in call.then]
    headers = [h for step in steps if isinstance(step, Send | Request) for h in step.headers]
    headers += [h for call in scenario.calls for h in call.headers]
    return [value for _, value in headers if value != "<sip:x@y>"]


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        ("<{uri of bob}>", "<sip:bob-1@pbx>"),
        ("<{uri of pstn};x=1>", "<sip:pstn-1@pbx:5061;x=1>"),
        ("<{uri of desk}>", "<sip:bob-1@pbx>"),
        ("<{uri of spare}>", "<sip:spare-1@pbx>"),
        ("<{uri of g1}>", "<sip:pstn-1@127.0.0.2:5070>"),
        ("<{uri of g2}>", "<sip:pstn-1@127.0.0.3:5071;transport=tcp>"),
        ("<sips:{user of bob}@{host of pstn}>", "<sips:bob-1@pbx>"),
        ("<sip:{hostport of pstn};lr>", "<sip:pbx:5061;lr>"),
        ("<sip:plain@x>", "<sip:plain@x>"),
    ],
)
def test_roles_are_filled_in_wherever_an_agent_writes_headers(value: str, becomes: str) -> None:
    found = written(led(load_text(TEXT.format(value=value), "t.sip.yaml"), BINDING))
    assert found == [becomes] * 6
