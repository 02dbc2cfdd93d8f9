"""The `sip` fixture: a scenario in Python, with the words of scenario files."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

from sip_harness.language import from_python
from sip_harness.model.place import Place
from sip_harness.model.result import Result
from sip_harness.model.scenario import Scenario


class Sip:
    """Builds one scenario and runs it. Every word means what it means in a scenario file; one that Python reserves or
    that has a space is written with underscores: `from_`, `hang_up`, `any_order`."""

    def __init__(self, name: str, run: Callable[[Scenario], Result]) -> None:
        self._run = run
        self._ran = False
        self.document: dict[str, Any] = {"title": name, "id": re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-")}
        """The scenario as a scenario file would have it; may be added to."""

    def title(self, text: str) -> None:
        """What this is about, in one sentence; the name of the test if it is not said."""
        self.document["title"] = text

    def device(self, name: str, *answer: object, **more: object) -> None:
        """A device and its answer, step by step; `answers=`, `on=`, `stack=` and the like as in a file."""
        self._part("devices")[name] = _agent(answer, more)

    def carrier(self, name: str, *answer: object, **more: object) -> None:
        """A carrier and its answer, step by step; `answers=`, `on=`, `registrar=` and the like as in a file."""
        self._part("carriers")[name] = _agent(answer, more)

    def ring(self, target: str, **devices: Sequence[object]) -> None:
        """What dialling `target` rings all at once: devices by name, each with its answer."""
        self._part("targets")[target] = {"ring": list(devices)}
        for name, answer in devices.items():
            self.device(name, *answer)

    def hunt(self, target: str, *steps: object, **devices: Sequence[object]) -> None:
        """What dialling `target` tries in turn: devices by name, each with its answer; or as `steps` the names of
        devices and carriers that are declared by themselves."""
        self._part("targets")[target] = {"hunt": [*steps, *devices]}
        for name, answer in devices.items():
            self.device(name, *answer)

    def call(self, caller: str, to: str, **more: object) -> None:
        """A call; `cancel=`, `hang_up=`, `headers=`, `at=`, `as_=` and the like as in a file."""
        self.document.setdefault("calls", []).append({"from": caller, "to": to, **_words(more)})

    def watch(self, time: object = None, **more: object) -> None:
        """Watch the system for a time, or `until=` an event, `at_most=` so long."""
        self.document["watch"] = _words(more) if time is None else time

    def expect(self, **sequences: object) -> None:
        """What each agent gets: a list, `never`, `reached`, or a mapping as in a file."""
        self._part("expect").update(sequences)

    def conforms(self) -> None:
        """In place of expectations: every fork must be as the rules of forking want it (RFC 3261 16)."""
        self.document["expect"] = "rfc3261"

    def order(self, *events: str) -> None:
        """Events that follow one another."""
        self.document.setdefault("order", []).append(list(events))

    def cite(self, *rules: str) -> None:
        """The rules that this is about."""
        self.document["cite"] = list(rules)

    def needs(self, *capabilities: str) -> None:
        """What a system must be able to do; the test is skipped on others."""
        self.document["needs"] = list(capabilities)

    def proof(self, *faults: str) -> None:
        """Faults of a system under which this must fail."""
        self.document["proof"] = list(faults)

    def say(self, **more: object) -> None:
        """Any other key of a scenario file, as `watch=`."""
        self.document.update(_words(more))

    def run(self) -> Result:
        """Run it. Fails the test with the explanation and the ladder if the system broke an expectation."""
        self._ran = True
        frame = sys._getframe(1)
        return self._run(from_python(self.document, Place(frame.f_code.co_filename, frame.f_lineno)))

    def check_used(self) -> None:
        """Refuse a test that declares a scenario and never runs it: it would assert nothing."""
        if not self._ran and len(self.document) > 2:
            raise AssertionError("the scenario was declared but never run: call sip.run()")

    def _part(self, name: str) -> dict[str, Any]:
        part: dict[str, Any] = self.document.setdefault(name, {})
        return part


def _agent(answer: tuple[object, ...], more: dict[str, object]) -> dict[str, object]:
    if answer or not {"answers", "on", "registrar"} & {*more}:
        return {"answer": list(answer)} | _words(more)
    return _words(more)


def _words(more: dict[str, object]) -> dict[str, object]:
    """Keywords as the words of a file: `hang_up` is `hang up`, `as_` is `as`."""
    return {name.rstrip("_").replace("_", " "): value for name, value in more.items()}
