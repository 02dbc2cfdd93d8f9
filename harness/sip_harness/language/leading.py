"""Which roles agents send the system to, by `{uri of NAME}` in the headers that they write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sip_harness.language.schema import ScenarioDoc
from sip_harness.model.scenario import LED_TO
from sip_harness.model.script import Script
from sip_harness.model.steps import Request, Send, Step


def led_to(document: ScenarioDoc) -> frozenset[str]:
    """Their names: targets that no call dials can be reached all the same."""
    found = (name for value in _written(document) for _, name in LED_TO.findall(value))
    return frozenset(found)


def _written(document: ScenarioDoc) -> Iterator[str]:
    for device in document.agents.values():
        yield from _values(_steps(device.script))
    for call in (one.call(0) for one in document.calls):
        yield from (value for _, value in call.headers)
        yield from _values((*call.meanwhile, *call.early, *call.then))
        if call.script is not None:
            yield from _values(_steps(call.script))


def _steps(script: Script) -> Iterator[Step]:
    for steps in (*script.lists, *(steps for reaction in script.reactions for steps in reaction.lists)):
        yield from steps


def _values(steps: Iterable[Step]) -> Iterator[str]:
    yield from (value for step in steps if isinstance(step, Send | Request) for _, value in step.headers)
