"""The shape of a device or a carrier in a scenario document: its answers, its reactions, and what it is deaf to."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from sip_harness.language import attempt_doc
from sip_harness.language.attempt_doc import Attempts
from sip_harness.language.challenge_doc import Lifetime, Registrar, registrar_reaction
from sip_harness.language.conduct import misplaced
from sip_harness.language.fields import LossText, Misfit, StackName, TransportName, one_of, reads
from sip_harness.language.part import Part
from sip_harness.language.reaction_doc import Reactions, reactions_of
from sip_harness.language.source import Text
from sip_harness.language.step_doc import StepDoc, Steps, steps_of
from sip_harness.model.place import NOWHERE
from sip_harness.model.scenario import Device, Listens
from sip_harness.model.script import Script
from sip_harness.model.steps import Send, Step


def _in_order(steps: list[StepDoc]) -> list[StepDoc]:
    if wrong := misplaced(steps_of(steps)):
        index, message, hint = wrong
        raise Misfit(message, hint, *([index] if index >= 0 else []))
    return steps


_REFUSES_CALLS = (Send(480, "Temporarily Unavailable"),)
"""What a device does with calls that says only what it does with other requests."""

_LISTENS = ("closed", "never")
Answer = Annotated[Steps, AfterValidator(_in_order)]


class DeviceDoc(Part):
    """A device or a carrier."""

    shape = "{answer: [ringing, busy-here]}"
    filled = dict.fromkeys(("on", "lose", "transport", "registrar", "listens", "expires"), "")
    answer: Answer | None = None
    answers: Attempts | None = None
    registrar: Registrar | None = None
    on: Reactions = Field(default_factory=dict)
    lose: list[LossText] = Field(default_factory=list)
    listens: Annotated[Listens, reads(one_of(_LISTENS, "state of a port"), "closed or never", _LISTENS)] = ""
    transport: TransportName = "udp"
    stack: StackName = "auto"
    expires: Lifetime | None = None

    @model_validator(mode="after")
    def _one_script(self) -> DeviceDoc:
        if self.answer is not None and self.answers is not None:
            raise Misfit("either 'answer' or 'answers', not both", "", "answers", key=True)
        if self.listens == "never" and self.transport == "udp":
            raise Misfit("'listens: never' drops connections, and udp has none", "add 'transport: tcp'", "listens")
        if self.answer is None and self.answers is None and not (self.on or self.registrar or self.listens):
            raise Misfit("a device needs 'answer'", "write 'answer: [silence]' if it never answers", key=True)
        if self.answers is not None and not self.answers:
            raise Misfit("'answers' needs at least one attempt", "write answers: [[486], [200]]", "answers")
        return self

    @model_validator(mode="after")
    def _answers_in_order(self) -> DeviceDoc:
        for misfit in attempt_doc.misfits(self.answers or []):
            raise Misfit(misfit.message, misfit.hint, "answers", *misfit.path)
        for path, steps in self.lists if self.answers is not None else []:
            try:
                _in_order(steps)
            except Misfit as misfit:
                raise Misfit(misfit.message, misfit.hint, *path, *misfit.path) from None
        if self.answers and not attempt_doc.numbered(self.answers):
            raise Misfit(
                "nothing says what all other calls get", "add one more answer, as 'always: [ok]'", "answers", key=True
            )
        return self

    @model_validator(mode="after")
    def _registers_once(self) -> DeviceDoc:
        if self.registrar is not None and "REGISTER" in self.on:
            raise Misfit("'on: {REGISTER: ...}' says already what it does", "say it once", "registrar", key=True)
        return self

    @property
    def attempts(self) -> tuple[tuple[Step, ...], ...]:
        """The steps by attempt."""
        if self.answers is not None:
            return attempt_doc.numbered(self.answers)
        return (steps_of(self.answer),) if self.answer is not None else (_REFUSES_CALLS,)

    @property
    def lists(self) -> list[tuple[tuple[str | int, ...], list[StepDoc]]]:
        """The steps as they are written, each list with its path."""
        if self.answers is None:
            return [(("answer",), self.answer)] if self.answer is not None else []
        return [(("answers", *path), one) for path, one in attempt_doc.lists_of(self.answers)]

    @property
    def script(self) -> Script:
        """Everything that it does."""
        reactions = reactions_of(self.on)
        if self.registrar is not None:
            reactions = (*reactions, registrar_reaction(self.registrar, NOWHERE))
        return Script(self.attempts, reactions, tuple(self.lose), attempt_doc.cases_of(self.answers or []))

    def device(self, name: Text) -> Device:
        """It as a device of this name."""
        return Device(
            str(name),
            self.script,
            self.stack,
            name.place,
            self.transport,
            expires=self.expires,
            listens=self.listens,
        )
