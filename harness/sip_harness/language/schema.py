"""The shape of a scenario document, as pydantic models.

Each value is read where it stands, so that one pass finds every mistake: texts go to the grammar, names are looked up
among those gathered beforehand, and a mistyped key is reported and then read as the one that was meant.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, Tag, model_validator

from sip_harness.language.device_doc import DeviceDoc
from sip_harness.language.diagnostics import quoted
from sip_harness.language.expect_doc import Expectation, OrderItem, orders
from sip_harness.language.fields import (
    AgentName,
    CallerName,
    Capability,
    DeviceName,
    Fault,
    HeaderMap,
    Id,
    Line,
    Misfit,
    NewName,
    StackName,
    TagName,
    TargetName,
    Title,
    TriggerText,
)
from sip_harness.language.names import Names
from sip_harness.language.part import Part, by_kind
from sip_harness.language.source import Map, Text
from sip_harness.model.scenario import Shape


def _members(names: list[str]) -> list[str]:
    if not names:
        raise Misfit("a target needs at least one device")
    for index, name in enumerate(names):
        if name in names[:index]:
            raise Misfit(f"{quoted(name)} stands twice", "", index)
    return names


Members = Annotated[list[DeviceName], AfterValidator(_members)]


class TargetDoc(Part):
    """What dialling a name reaches."""

    shape = "{ring: [desk, mobile]} or {hunt: [desk, mobile]}"
    ring: Members | None = None
    hunt: Members | None = None

    @model_validator(mode="after")
    def _one_shape(self) -> TargetDoc:
        if self.ring is not None and self.hunt is not None:
            raise Misfit("a target has one shape, 'ring' or 'hunt'", "", "hunt", key=True)
        if self.ring is None and self.hunt is None:
            raise Misfit("a target needs 'ring' (all at once) or 'hunt' (in turn)", f"write {self.shape}", key=True)
        return self

    @property
    def members(self) -> tuple[Shape, list[str]]:
        """Its shape and its devices."""
        return ("ring", self.ring) if self.ring is not None else ("hunt", self.hunt or [])


class CallDoc(Part):
    """A call."""

    shape = "{from: alice, to: bob}"
    caller: CallerName = Field(alias="from")
    to: TargetName
    cancel: TriggerText | None = None
    hang_up: TriggerText | None = Field(default=None, alias="hang up")
    headers: HeaderMap = Field(default_factory=dict)
    name: NewName | None = None
    stack: StackName = "auto"

    @model_validator(mode="after")
    def _only_added(self) -> CallDoc:
        for name, values in self.headers.items():
            if values is None:
                raise Misfit("headers of a call are only added, none can be left out", "", "headers", str(name))
        return self


def _some_devices(devices: dict[Text, DeviceDoc]) -> dict[Text, DeviceDoc]:
    if not devices:
        raise Misfit("a scenario needs at least one device", "write devices: {desk: {answer: [ringing]}}", key=True)
    return devices


def _some_calls(calls: list[CallDoc]) -> list[CallDoc]:
    if not calls:
        hint = "write calls: [{from: alice, to: bob}]"
        raise Misfit("a scenario without calls is not possible yet", hint, key=True)
    return calls


class ScenarioDoc(Part):
    """A whole scenario."""

    shape = "a mapping that begins with 'title: ...'"
    title: Title
    id: Id
    cite: Annotated[
        Annotated[Line, Tag("<line>")] | Annotated[list[Line], Tag("<lines>")], by_kind(text="<line>", list="<lines>")
    ] = Field(default_factory=list)
    needs: list[Capability] = Field(default_factory=list)
    tags: list[TagName] = Field(default_factory=list)
    targets: dict[NewName, TargetDoc]
    devices: Annotated[dict[NewName, DeviceDoc], AfterValidator(_some_devices)]
    calls: Annotated[list[CallDoc], AfterValidator(_some_calls)]
    expect: dict[AgentName, Expectation] = Field(default_factory=dict)
    order: Annotated[list[OrderItem], AfterValidator(orders)] = Field(default_factory=list)
    proof: list[Fault] = Field(default_factory=list)

    @classmethod
    def _learn(cls, data: Map, names: Names) -> None:
        names.gather(data)
