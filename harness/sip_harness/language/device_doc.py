"""The shape of a device in a scenario document: its answers and their steps."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from sip_harness.language.answers import misplaced, send, step
from sip_harness.language.fields import (
    AfterText,
    Body,
    CodeKey,
    HeaderMap,
    MediaType,
    Misfit,
    Reason,
    StackName,
    WaitText,
    reads,
)
from sip_harness.language.headers import collect
from sip_harness.language.part import Part
from sip_harness.language.source import Map, Text
from sip_harness.language.words import code
from sip_harness.model.scenario import Step


class ResponseDoc(Part):
    """A step in full form, below its code."""

    shape = "{reason: ..., headers: {...}, body: ..., type: ...}"
    reason: Reason | None = None
    headers: HeaderMap = Field(default_factory=dict)
    body: Body | None = None
    type: MediaType | None = None

    @model_validator(mode="after")
    def _body_has_type(self) -> ResponseDoc:
        """RFC 3261 20.15: a body that is not empty needs a Content-Type."""
        typed = "content-type" in collect(self.headers).decided
        if self.body and self.type is None and not typed:
            raise Misfit("a body needs a type", "add 'type: text/plain'", "body", key=True)
        if self.type is not None and (typed or not self.body):
            why = "the headers have a Content-Type too" if typed else "there is no body"
            raise Misfit(f"a type is out of place: {why}", "", "type", key=True)
        return self


class WaitDoc(Part):
    """`{wait: 100ms}`."""

    shape = "{wait: 100ms}"
    surplus = "each step is an item of its own"
    wait: WaitText


class AfterDoc(Part):
    """`{after: mobile sends 180}`."""

    shape = "{after: mobile sends 180}"
    surplus = "each step is an item of its own"
    after: AfterText


StepDoc = Step | WaitDoc | AfterDoc | dict[Text, ResponseDoc | None]


def _step_form(value: object) -> str | None:
    if isinstance(value, Map):
        return "<wait>" if "wait" in value else "<after>" if "after" in value else "<response>"
    return "<step>" if isinstance(value, Text) else None


def _one_code(value: dict[Text, ResponseDoc | None]) -> dict[Text, ResponseDoc | None]:
    if len(value) != 1:
        surplus = list(value)[1:2]
        hint = "begin each step with a dash or separate steps by commas"
        raise Misfit("one step has one response", hint, *map(str, surplus), key=True)
    return value


def _in_order(steps: list[StepDoc]) -> list[StepDoc]:
    if wrong := misplaced(steps_of(steps)):
        index, message, hint = wrong
        raise Misfit(message, hint, *([index] if index >= 0 else []))
    return steps


def steps_of(steps: list[StepDoc]) -> tuple[Step, ...]:
    """The steps in the form of the model."""
    return tuple(_step(one) for one in steps)


def _step(one: StepDoc) -> Step:
    if isinstance(one, WaitDoc):
        return one.wait
    if isinstance(one, AfterDoc):
        return one.after
    if not isinstance(one, dict):
        return one
    ((key, full),) = one.items()
    full = full or ResponseDoc()
    headers = collect(full.headers)
    return send(code(key.all), key, str(full.reason or ""), headers, str(full.body or ""), str(full.type or ""))


Answer = Annotated[
    list[
        Annotated[
            Annotated[Step, reads(step, "a step"), Tag("<step>")]
            | Annotated[WaitDoc, Tag("<wait>")]
            | Annotated[AfterDoc, Tag("<after>")]
            | Annotated[dict[CodeKey, ResponseDoc | None], AfterValidator(_one_code), Tag("<response>")],
            Discriminator(_step_form),
        ]
    ],
    AfterValidator(_in_order),
]


class DeviceDoc(Part):
    """A device."""

    shape = "{answer: [ringing, busy-here]}"
    answer: Answer | None = None
    answers: list[Answer] | None = None
    stack: StackName = "auto"

    @model_validator(mode="after")
    def _one_script(self) -> DeviceDoc:
        if self.answer is not None and self.answers is not None:
            raise Misfit("either 'answer' or 'answers', not both", "", "answers", key=True)
        if self.answer is None and self.answers is None:
            raise Misfit("a device needs 'answer'", "write 'answer: [silence]' if it never answers", key=True)
        if self.answers is not None and not self.answers:
            raise Misfit("'answers' needs at least one attempt", "write answers: [[486], [200]]", "answers")
        return self

    @property
    def attempts(self) -> tuple[tuple[Step, ...], ...]:
        """The steps by attempt."""
        lists = self.answers if self.answers is not None else [self.answer or []]
        return tuple(steps_of(one) for one in lists)
