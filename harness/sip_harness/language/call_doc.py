"""The shape of a call in a scenario document."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field, model_validator

from sip_harness.language.expect_doc import Expectation
from sip_harness.language.expectations import expectations
from sip_harness.language.fields import (
    AckText,
    AgentName,
    CallerName,
    HeaderMap,
    LossText,
    MethodName,
    Misfit,
    NewName,
    PrackText,
    StackName,
    TargetName,
    TransportName,
    TriggerText,
)
from sip_harness.language.headers import collect
from sip_harness.language.part import Part
from sip_harness.language.reaction_doc import Reactions, reactions_of
from sip_harness.language.step_doc import Steps, steps_of
from sip_harness.model import scenario as model
from sip_harness.model.scenario import Call, HangUp, Request, Script

_OF_CALLS = ("cancel", "hang_up", "ack", "prack", "then")


class CallDoc(Part):
    """A call, or a single request outside of a dialog."""

    shape = "{from: alice, to: bob}"
    filled = dict.fromkeys(("transport", "method", "then", "ack", "prack", "on", "lose", "expect"), "")
    caller: CallerName = Field(alias="from")
    to: TargetName
    cancel: TriggerText | None = None
    hang_up: TriggerText | None = Field(default=None, alias="hang up")
    headers: HeaderMap = Field(default_factory=dict)
    name: NewName | None = None
    stack: StackName = "auto"
    transport: TransportName = "udp"
    method: MethodName = "INVITE"
    then: Steps | None = None
    ack: AckText | None = None
    prack: PrackText | None = None
    on: Reactions = Field(default_factory=dict)
    lose: list[LossText] = Field(default_factory=list)
    expect: dict[AgentName, Expectation] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _only_added(self) -> CallDoc:
        for name, values in self.headers.items():
            if values is None:
                raise Misfit("headers of a call are only added, none can be left out", "", "headers", str(name))
        return self

    @model_validator(mode="after")
    def _a_call_for_what_calls_do(self) -> CallDoc:
        for name in _OF_CALLS:
            if self.method != "INVITE" and getattr(self, name) is not None:
                word = name.replace("_", " ")
                message = f"'{word}' is for calls, and this is a single {self.method}"
                raise Misfit(message, "drop it, or drop 'method'", word, key=True)
        if self.hang_up is not None and any(_ends(step) for step in steps_of(self.then or [])):
            raise Misfit("'then' hangs up already", "say it once", "hang up", key=True)
        return self

    def expectations(self, number: int) -> Iterator[model.Expectation]:
        """What agents get in this call."""
        return expectations(self.expect, self._named(number))

    def _named(self, number: int) -> str:
        return str(self.name or f"call-{number}")

    def call(self, number: int) -> Call:
        """The call; `number` counts from 1 and is its name if it has none."""
        reacts = self.on or self.lose
        return Call(
            name=self._named(number),
            caller=str(self.caller),
            target=self.to,
            cancel=self.cancel,
            hang_up=self.hang_up,
            headers=collect(self.headers).given,
            stack=self.stack,
            place=self.caller.place,
            transport=self.transport,
            method=self.method,
            then=steps_of(self.then or []),
            ack=self.ack,
            prack=self.prack,
            script=Script((), reactions_of(self.on), tuple(self.lose)) if reacts else None,
        )


def _ends(step: object) -> bool:
    return isinstance(step, HangUp) or (isinstance(step, Request) and step.method == "BYE")
