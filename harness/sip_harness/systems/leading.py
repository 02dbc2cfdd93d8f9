"""Where agents send the system to: the URIs that other roles of the scenario have in this run. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from sip_harness.model.scenario import LED_TO, Call, Device, Scenario
from sip_harness.model.script import Case, Script
from sip_harness.model.steps import Request, Send, Step
from sip_harness.net.base import host_port
from sip_harness.systems.base import Binding
from sip_harness.systems.intent import filled

_Fill = Callable[[str], str]
_Headers = tuple[tuple[str, str], ...]


def led(scenario: Scenario, binding: Binding) -> Scenario:
    """The scenario with `{uri of NAME}` and the like filled in wherever its agents write headers: what dialling a
    target reaches, where a carrier listens, the address of record of a device that no target rings."""
    uris = dict(_uris(scenario, binding))

    def fill(value: str) -> str:
        return LED_TO.sub(lambda found: filled(f"{{{found[1]}}}", uris[found[2]]), value)

    return replace(
        scenario,
        devices=tuple(replace(device, script=_script(device.script, fill)) for device in scenario.devices),
        calls=tuple(_call(call, fill) for call in scenario.calls),
    )


def _uris(scenario: Scenario, binding: Binding) -> Iterator[tuple[str, str]]:
    for device in scenario.devices:
        yield device.name, _where(device, binding)
    yield from binding.uris.items()


def _where(device: Device, binding: Binding) -> str:
    user = binding.users[device.name]
    if device.name not in binding.listens:
        return user.aor
    transport = "" if device.transport == "udp" else f";transport={device.transport}"
    return f"sip:{user.name}@{host_port(binding.listens[device.name])}{transport}"


def _call(call: Call, fill: _Fill) -> Call:
    return replace(
        call,
        headers=_headers(call.headers, fill),
        script=_script(call.script, fill) if call.script is not None else None,
        meanwhile=_steps(call.meanwhile, fill),
        early=_steps(call.early, fill),
        then=_steps(call.then, fill),
    )


def _script(script: Script, fill: _Fill) -> Script:
    reactions = tuple(
        replace(one, attempts=_lists(one.attempts, fill), cases=_cases(one.cases, fill)) for one in script.reactions
    )
    return replace(
        script, attempts=_lists(script.attempts, fill), reactions=reactions, cases=_cases(script.cases, fill)
    )


def _cases(cases: tuple[Case, ...], fill: _Fill) -> tuple[Case, ...]:
    return tuple(replace(case, steps=_steps(case.steps, fill)) for case in cases)


def _lists(lists: tuple[tuple[Step, ...], ...], fill: _Fill) -> tuple[tuple[Step, ...], ...]:
    return tuple(_steps(steps, fill) for steps in lists)


def _steps(steps: tuple[Step, ...], fill: _Fill) -> tuple[Step, ...]:
    return tuple(
        replace(step, headers=_headers(step.headers, fill)) if isinstance(step, Send | Request) else step
        for step in steps
    )


def _headers(headers: _Headers, fill: _Fill) -> _Headers:
    return tuple((name, fill(value)) for name, value in headers)
