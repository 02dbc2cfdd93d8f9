"""The `sip` fixture: a scenario in Python, with the words of scenario files."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sip_harness.language import LanguageError, from_python
from sip_harness.language.plain import path_of
from sip_harness.model.place import Place
from sip_harness.model.result import Result
from sip_harness.model.scenario import Scenario


class Sip:
    """Builds one scenario and runs it. Every word means what it means in a scenario file; one that Python reserves or
    that has a space is written with underscores: `from_`, `hang_up`, `any_order`. Mistakes and broken expectations
    name the line of the test that said so."""

    def __init__(self, name: str, run: Callable[[Scenario], Result]) -> None:
        self._run = run
        self._ran = False
        self._places: dict[str, Place] = {}
        """Where each part of the document was said, by path of keys."""
        self.document: dict[str, Any] = {"title": name, "id": re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-")}
        """The scenario as a scenario file would have it; may be added to."""

    def title(self, text: str) -> None:
        """What this is about, in one sentence; the name of the test if it is not said."""
        self._say("title", text)

    def device(self, name: str, *answer: object, **more: object) -> None:
        """A device and its answer, step by step; `answers=`, `on=`, `stack=` and the like as in a file."""
        self._put("devices", name, _agent(answer, more))

    def carrier(self, name: str, *answer: object, **more: object) -> None:
        """A carrier and its answer, step by step; `answers=`, `on=`, `registrar=` and the like as in a file."""
        self._put("carriers", name, _agent(answer, more))

    def ring(self, target: str, *names: str, **devices: Sequence[object] | Mapping[str, object]) -> None:
        """What dialling `target` rings all at once: devices by name, each with its answer or all that it does as in a
        file; or `names` of devices that are declared by themselves."""
        self._target("ring", target, names, devices)

    def hunt(self, target: str, *steps: object, **devices: Sequence[object] | Mapping[str, object]) -> None:
        """What dialling `target` tries in turn: devices by name, each with its answer or all that it does as in a file;
        or as `steps` the names of devices and carriers that are declared by themselves, a list for those at once."""
        self._target("hunt", target, steps, devices)

    def call(self, caller: str, to: str, **more: object) -> None:
        """A call; `cancel=`, `hang_up=`, `headers=`, `at=`, `as_=` and the like as in a file."""
        self._add("calls", {"from": caller, "to": to, **_words(more)})

    def watch(self, time: object = None, **more: object) -> None:
        """Watch the system for a time, or `until=` an event, `at_most=` so long."""
        self._say("watch", _words(more) if time is None else time)

    def expect(self, **sequences: object) -> None:
        """What each agent gets: a list, `never`, `reached`, or a mapping as in a file."""
        for agent, due in sequences.items():
            self._put("expect", agent, due)

    def conforms(self) -> None:
        """In place of expectations: every fork must be as the rules of forking want it (RFC 3261 16)."""
        self._say("expect", "rfc3261")

    def order(self, *events: str, should: Sequence[str] = ()) -> None:
        """Events that follow one another, or that only `should`."""
        self._add("order", {"should": list(should)} if should else list(events))

    def cite(self, *rules: str) -> None:
        """The rules that this is about."""
        self._say("cite", list(rules))

    def needs(self, *capabilities: str) -> None:
        """What a system must be able to do; the test is skipped on others."""
        self._say("needs", list(capabilities))

    def proof(self, *faults: str) -> None:
        """Faults of a system under which this must fail."""
        self._say("proof", list(faults))

    def say(self, **more: object) -> None:
        """Any other key of a scenario file, as `impact=`, `tags=` or `include=`."""
        for key, value in _words(more).items():
            self._say(key, value)

    def run(self) -> Result:
        """Run it. Fails the test with the explanation and the ladder if the system broke an expectation.

        Raises LanguageError with every mistake in what was said.
        """
        __tracebackhide__ = True
        self._ran = True
        try:
            scenario = from_python(self.document, _here(), self._places)
        except LanguageError as error:
            raise error.with_traceback(None) from None
        return self._run(scenario)

    def check_used(self) -> None:
        """Refuse a test that declares a scenario and never runs it: it would assert nothing."""
        if not self._ran and len(self.document) > 2:
            raise AssertionError("the scenario was declared but never run: call sip.run()")

    def _say(self, key: str, value: object) -> None:
        self.document[key] = value
        self._places[path_of(key)] = _here()

    def _put(self, part: str, name: str, value: object) -> None:
        self.document.setdefault(part, {})[name] = value
        self._places[path_of(part, name)] = _here()

    def _add(self, part: str, value: object) -> None:
        items: list[object] = self.document.setdefault(part, [])
        self._places[path_of(part, len(items))] = _here()
        items.append(value)

    def _target(
        self,
        shape: str,
        target: str,
        names: Sequence[object],
        devices: Mapping[str, Sequence[object] | Mapping[str, object]],
    ) -> None:
        self._put("targets", target, {shape: [*names, *devices]})
        for name, answer in devices.items():
            self._put("devices", name, answer if isinstance(answer, Mapping) else {"answer": _listed(answer)})


def _listed(answer: object) -> object:
    """An answer as a list; a text stays one, so that the language can say what is wrong with it."""
    return list(answer) if isinstance(answer, Sequence) and not isinstance(answer, str) else answer


def _here() -> Place:
    """The line of the caller outside of this file."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename == __file__ and frame.f_back is not None:
        frame = frame.f_back
    return Place(frame.f_code.co_filename, frame.f_lineno)


def _agent(answer: tuple[object, ...], more: dict[str, object]) -> dict[str, object]:
    if answer or not {"answers", "on", "registrar", "listens"} & {*more}:
        return {"answer": list(answer)} | _words(more)
    return _words(more)


def _words(more: dict[str, object]) -> dict[str, object]:
    """Keywords as the words of a file: `hang_up` is `hang up`, `as_` is `as`."""
    return {name.rstrip("_").replace("_", " "): value for name, value in more.items()}
