"""The shape of a scenario document, as pydantic models.

Each value is read where it stands, so that one pass finds every mistake: texts go to the grammar, names are looked up
among those gathered beforehand, and a mistyped key is reported and then read as the one that was meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, cast

from pydantic import AfterValidator, Field, PlainValidator, Tag, ValidationInfo, model_validator

from sip_harness.language.call_doc import CallDoc
from sip_harness.language.device_doc import DeviceDoc
from sip_harness.language.diagnostics import quoted
from sip_harness.language.expect_doc import Expectation, dues
from sip_harness.language.fields import (
    AgentName,
    Capability,
    CarrierName,
    DeviceName,
    Fault,
    Id,
    ImpactName,
    Line,
    Misfit,
    NewName,
    Rules,
    RungName,
    TagName,
    Title,
    of_kind,
)
from sip_harness.language.names import Names
from sip_harness.language.order_doc import OrderItem, orders
from sip_harness.language.part import Part, by_kind
from sip_harness.language.source import Map, Seq, Text
from sip_harness.language.watch_doc import WatchWords
from sip_harness.model.scenario import Shape


def _members(names: list[str]) -> list[str]:
    if not names:
        raise Misfit("a target needs at least one device")
    for index, name in enumerate(names):
        if name in names[:index]:
            raise Misfit(f"{quoted(name)} stands twice", "", index)
    return names


def _steps(steps: list[str | list[str]]) -> list[str | list[str]]:
    if not steps:
        raise Misfit("a target needs at least one device")
    seen: set[str] = set()
    for index, step in enumerate(steps):
        for name in [step] if isinstance(step, str) else step:
            if name in seen:
                raise Misfit(f"{quoted(name)} stands twice", "", index)
            seen.add(name)
    return steps


Rung = Annotated[list[RungName], AfterValidator(_members)]
Step = Annotated[
    Annotated[
        Annotated[DeviceName, Tag("<name>")] | Annotated[Rung, Tag("<group>")], by_kind(list="<group>", text="<name>")
    ],
    of_kind("the name of a device, or a list of those that ring at once", Text, Seq),
]
Hunt = Annotated[list[Step], AfterValidator(_steps)]


class TargetDoc(Part):
    """What dialling a name reaches."""

    shape = "{ring: [desk, mobile]} or {hunt: [desk, mobile]}"
    ring: Rung | None = None
    hunt: Hunt | None = None

    @model_validator(mode="after")
    def _one_shape(self) -> TargetDoc:
        if self.ring is not None and self.hunt is not None:
            raise Misfit("a target has one shape, 'ring' or 'hunt'", "", "hunt", key=True)
        if self.ring is None and self.hunt is None:
            raise Misfit("a target needs 'ring' (all at once) or 'hunt' (in turn)", f"write {self.shape}", key=True)
        return self

    @property
    def kind(self) -> Shape:
        """Its shape."""
        return "ring" if self.ring is not None else "hunt"

    @property
    def steps(self) -> tuple[tuple[str, ...], ...]:
        """Who is tried at once, in turn."""
        if self.ring is not None:
            return (tuple(self.ring),)
        return tuple((step,) if isinstance(step, str) else tuple(step) for step in self.hunt or [])

    @property
    def members(self) -> tuple[str, ...]:
        """Its devices."""
        return tuple(member for step in self.steps for member in step)


def _some_devices(devices: dict[Text, DeviceDoc], info: ValidationInfo) -> dict[Text, DeviceDoc]:
    if not devices and not cast(Names, info.context).carriers:
        raise Misfit("a scenario needs at least one device", "write devices: {desk: {answer: [ringing]}}", key=True)
    return devices


Rows = dict[str, Any]
"""Variables of a matrix with their values; `matrix` and `include` have read these keys before the document is."""


def _some_carriers(carriers: dict[Text, DeviceDoc]) -> dict[Text, DeviceDoc]:
    if not carriers:
        raise Misfit("there is no carrier here", "write carriers: {g1: {answer: [503]}}, or drop it", key=True)
    return carriers


def _some_calls(calls: list[CallDoc]) -> list[CallDoc]:
    if not calls:
        hint = "write calls: [{from: alice, to: bob}], or 'watch: 3s' instead for a system that acts by itself"
        raise Misfit("there is no call here", hint, key=True)
    return calls


MatrixForm = Annotated[None, PlainValidator(lambda _: None, json_schema_input_type=Rows | list[Rows])]
IncludeForm = Annotated[None, PlainValidator(lambda _: None, json_schema_input_type=str | list[str])]


class ScenarioDoc(Part):
    """A whole scenario."""

    shape = "a mapping that begins with 'title: ...'"
    filled = {"watch": "write 3s, or until g1 gets 2 REGISTER"}  # noqa: RUF012 - pydantic knows it is no field
    matrix: MatrixForm = Field(default=None, alias="for")
    include: IncludeForm = None
    title: Title
    id: Id
    cite: Annotated[
        Annotated[Line, Tag("<line>")] | Annotated[list[Line], Tag("<lines>")], by_kind(text="<line>", list="<lines>")
    ] = Field(default_factory=list)
    needs: list[Capability] = Field(default_factory=list)
    tags: list[TagName] = Field(default_factory=list)
    covers: list[Id] = Field(default_factory=list)
    targets: dict[NewName, TargetDoc] = Field(default_factory=dict)
    devices: Annotated[dict[NewName, DeviceDoc], AfterValidator(_some_devices)] = Field(default_factory=dict)
    carriers: Annotated[dict[CarrierName, DeviceDoc], AfterValidator(_some_carriers)] = Field(default_factory=dict)
    calls: Annotated[list[CallDoc], AfterValidator(_some_calls)] = Field(default_factory=list)
    watch: WatchWords | None = None
    seen: Annotated[
        Annotated[Rules, Tag("<rules>")] | Annotated[dict[AgentName, Expectation], Tag("<agents>")],
        by_kind(text="<rules>", map="<agents>", list="<agents>"),
    ] = Field(alias="expect", default_factory=dict)
    order: Annotated[list[OrderItem], AfterValidator(orders)] = Field(default_factory=list)
    proof: list[Fault] = Field(default_factory=list)
    impact: ImpactName = "harmless"

    @classmethod
    def _learn(cls, data: Map, names: Names) -> None:
        names.gather(data)
        if "devices" not in data and "carriers" not in data:
            hint = "say who answers, as 'devices: {desk: {answer: [ringing, busy-here]}}'"
            names.mistakes.append(data.spot.mistake("'devices' is missing", hint).diagnostic)
        if "calls" not in data and "watch" not in data:
            hint = "write 'calls: [{from: alice, to: bob}]', or 'watch: 3s' for a system that acts by itself"
            names.mistakes.append(data.spot.mistake("'calls' is missing", hint).diagnostic)
        if "targets" not in data and ("calls" in data or "watch" not in data):
            hint = "say what a call reaches, as 'targets: {bob: {ring: [desk]}}'"
            names.mistakes.append(data.spot.mistake("'targets' is missing", hint).diagnostic)

    @property
    def expect(self) -> dict[Text, Expectation]:
        """What each agent gets; nothing if the rules alone say it."""
        return {} if isinstance(self.seen, Text) else self.seen

    @property
    def rules(self) -> Text | None:
        """The word that stands for what the rules of forking want, if it is there."""
        return self.seen if isinstance(self.seen, Text) else None

    @property
    def agents(self) -> dict[Text, DeviceDoc]:
        """Everyone who answers, devices first."""
        return {**self.devices, **self.carriers}

    def section(self, agent: str) -> str:
        """The key that an agent stands under."""
        return "carriers" if agent in self.carriers else "devices"

    @property
    def expected(self) -> Iterator[tuple[tuple[str | int, ...], str, Any]]:
        """Every list of messages and every fate that is expected, in all calls or in one: path, agent and value."""
        places: list[tuple[tuple[str | int, ...], dict[Text, Any]]] = [(("expect",), dict(self.expect))]
        places += [(("calls", n, "expect"), dict(call.expect)) for n, call in enumerate(self.calls)]
        for path, wanted in places:
            for name, one in wanted.items():
                yield from (((*path, str(name), *below), str(name), due) for below, due in dues(one))

    @property
    def spoken_of(self) -> set[str]:
        """Agents of which something is expected."""
        return {str(name) for wanted in (self.expect, *(call.expect for call in self.calls)) for name in wanted}
