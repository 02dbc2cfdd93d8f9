"""From a document to a Scenario."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from sip_harness.language import errors
from sip_harness.language.diagnostics import Diagnostic, LanguageError
from sip_harness.language.expectations import expectations, orders
from sip_harness.language.names import Names
from sip_harness.language.schema import ScenarioDoc
from sip_harness.language.sense import senseless
from sip_harness.language.source import Map
from sip_harness.language.watch_doc import watch_of
from sip_harness.model.scenario import Device, Scenario, Target
from sip_harness.model.wanted import Conforms


def build(root: Map, mistakes: list[Diagnostic], directory: Path) -> Scenario:
    """The scenario of a document; `mistakes` are those found before, `directory` is where its other files lie.

    Raises LanguageError with all mistakes, those included.
    """
    names = Names(mistakes=list(mistakes), directory=directory)
    try:
        document = ScenarioDoc.model_validate(root, context=names)
    except ValidationError as error:
        raise LanguageError([*names.mistakes, *errors.diagnostics(error, root)]) from None
    wrong = [errors.at(root, (), misfit) for misfit in senseless(document)]
    if names.mistakes or wrong:
        raise LanguageError([*names.mistakes, *wrong])
    return _scenario(document)


def _scenario(document: ScenarioDoc) -> Scenario:
    cite = document.cite
    return Scenario(
        id=str(document.id),
        title=document.title,
        cite=(cite,) if isinstance(cite, str) else tuple(cite),
        targets=tuple(_targets(document)),
        devices=tuple(_devices(document)),
        calls=tuple(call.call(number) for number, call in enumerate(document.calls, 1)),
        expectations=(
            *([Conforms(document.rules.place)] if document.rules is not None else []),
            *expectations(document.expect),
            *(one for number, call in enumerate(document.calls, 1) for one in call.expectations(number)),
            *orders(document.order),
        ),
        needs=frozenset(document.needs),
        tags=tuple(dict.fromkeys(document.tags)),
        covers=tuple(dict.fromkeys(map(str, document.covers))),
        proof=tuple(dict.fromkeys(document.proof)),
        place=document.id.place,
        disruptive=document.impact == "disruptive",
        watch=watch_of(document.watch),
    )


def _targets(document: ScenarioDoc) -> Iterator[Target]:
    for name, target in document.targets.items():
        mixed = target.kind == "hunt" and len(target.members) > len(target.steps)
        together = target.steps if mixed else ()
        yield Target(str(name), target.kind, target.members, name.place, together)


def _devices(document: ScenarioDoc) -> Iterator[Device]:
    for name, device in document.devices.items():
        yield device.device(name)
    for name, carrier in document.carriers.items():
        yield replace(carrier.device(name), kind="carrier")
