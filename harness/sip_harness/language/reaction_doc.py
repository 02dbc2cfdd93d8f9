"""The shape of reactions in a scenario document: `on: {CANCEL: [200], OPTIONS: [[silence], [200]]}`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Tag

from sip_harness.language import attempt_doc
from sip_harness.language.attempt_doc import AlwaysDoc, Attempts, CaseDoc, Path
from sip_harness.language.conduct import misplaced_in_reaction
from sip_harness.language.fields import Misfit, ReactedKey, of_kind
from sip_harness.language.source import Seq, Text
from sip_harness.language.step_doc import StepDoc, Steps, steps_of
from sip_harness.model.script import Reaction


def _form(value: object) -> str:
    return "<attempts>" if attempt_doc.is_by_attempt(value) else "<steps>"


Reactions = dict[
    ReactedKey,
    Annotated[
        Annotated[Annotated[Steps, Tag("<steps>")] | Annotated[Attempts, Tag("<attempts>")], Discriminator(_form)],
        of_kind("a list of steps", Seq),
    ],
]
"""By method; a list of lists goes by the number of the request, or by what it says."""


def lists_of(reactions: Mapping[Text, Any]) -> Iterator[tuple[Text, Path, list[StepDoc]]]:
    """Every list of steps with its method and its path."""
    for method, value in reactions.items():
        if _is_by_attempt(value):
            yield from ((method, (str(method), *path), steps) for path, steps in attempt_doc.lists_of(value))
        else:
            yield method, (str(method),), value


def _is_by_attempt(value: list[Any]) -> bool:
    return bool(value) and isinstance(value[0], (list, CaseDoc, AlwaysDoc))


def reactions_of(reactions: Mapping[Text, Any]) -> tuple[Reaction, ...]:
    """The reactions in the form of the model."""
    return tuple(_reaction(method, value) for method, value in reactions.items())


def _reaction(method: Text, value: list[Any]) -> Reaction:
    if not _is_by_attempt(value):
        return Reaction(str(method), (steps_of(value),), method.place)
    return Reaction(str(method), attempt_doc.numbered(value), method.place, attempt_doc.cases_of(value))


def misfits(reactions: Mapping[Text, Any], *, caller: bool) -> Iterator[Misfit]:
    """Steps and attempts that cannot stand where they stand."""
    for name, value in reactions.items():
        for misfit in attempt_doc.misfits(value) if _is_by_attempt(value) else ():
            yield Misfit(misfit.message, misfit.hint, str(name), *misfit.path, key=misfit.key)
    for method, path, steps in lists_of(reactions):
        if wrong := misplaced_in_reaction(str(method), steps_of(steps), caller=caller):
            index, message, hint = wrong
            yield Misfit(message, hint, *path, *([index] if index >= 0 else []))
