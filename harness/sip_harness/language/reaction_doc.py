"""The shape of reactions in a scenario document: `on: {CANCEL: [200], OPTIONS: [[silence], [200]]}`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Tag

from sip_harness.language.conduct import misplaced_in_reaction
from sip_harness.language.fields import Misfit, ReactedKey, of_kind
from sip_harness.language.source import Seq, Text
from sip_harness.language.step_doc import StepDoc, Steps, steps_of
from sip_harness.model.scenario import Reaction


def _form(value: object) -> str:
    nested = isinstance(value, Seq) and any(isinstance(item, Seq) for item in value)
    return "<attempts>" if nested else "<steps>"


Reactions = dict[
    ReactedKey,
    Annotated[
        Annotated[Annotated[Steps, Tag("<steps>")] | Annotated[list[Steps], Tag("<attempts>")], Discriminator(_form)],
        of_kind("a list of steps", Seq),
    ],
]
"""By method; a list of lists goes by the number of the request."""

Path = tuple[str | int, ...]


def lists_of(reactions: Mapping[Text, Any]) -> Iterator[tuple[Text, Path, list[StepDoc]]]:
    """Every list of steps with its method and its path."""
    for method, value in reactions.items():
        if value and isinstance(value[0], list):
            yield from ((method, (str(method), index), steps) for index, steps in enumerate(value))
        else:
            yield method, (str(method),), value


def reactions_of(reactions: Mapping[Text, Any]) -> tuple[Reaction, ...]:
    """The reactions in the form of the model."""
    found = list(lists_of(reactions))
    return tuple(
        Reaction(str(method), tuple(steps_of(steps) for key, _, steps in found if key == method), method.place)
        for method in reactions
    )


def misfits(reactions: Mapping[Text, Any], *, caller: bool) -> Iterator[Misfit]:
    """Steps that cannot stand where they stand."""
    for method, path, steps in lists_of(reactions):
        if wrong := misplaced_in_reaction(str(method), steps_of(steps), caller=caller):
            index, message, hint = wrong
            yield Misfit(message, hint, *path, *([index] if index >= 0 else []))
