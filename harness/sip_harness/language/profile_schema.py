"""The shape of a profile (`*.system.yaml`), as pydantic models."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, Tag, model_validator

from sip_harness.language.fields import ImpactName, Misfit, NewName, TransportName, reads
from sip_harness.language.part import Part, by_kind
from sip_harness.language.profile_fields import (
    AddressText,
    CapabilityText,
    CodeText,
    Count,
    DomainText,
    FileText,
    GrantedText,
    HostText,
    IpText,
    KindText,
    LineText,
    Listening,
    NumberText,
    Rate,
    Seconds,
    Secret,
    UserText,
)
from sip_harness.language.source import Text


class AccountDoc(Part):
    """An account."""

    shape = '{user: "101", password: $PASSWORD_101}'
    user: UserText
    password: Secret = ""
    auth: LineText = Field(default="", alias="auth user")


class GroupDoc(Part):
    """A number that reaches several."""

    shape = '{dial: "600", members: [{user: "101", password: $PASSWORD_101}]}'
    dial: UserText
    members: list[AccountDoc] | None = None
    carriers: list[Annotated[Text, reads(lambda text, names: text, "the name of a carrier")]] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> GroupDoc:
        if bool(self.members) == bool(self.carriers):
            raise Misfit("a group has 'members' or 'carriers'", f"write {self.shape}", key=True)
        return self


class ShapesDoc(Part):
    """Ring and hunt groups."""

    shape = '{ring: [{dial: "600", members: [...]}], hunt: [...]}'
    ring: list[GroupDoc] = Field(default_factory=list)
    hunt: list[GroupDoc] = Field(default_factory=list)


class TimerDoc(Part):
    """A timer with its tolerance."""

    shape = "20s, or {after: 20s, early: 1s, late: 2s}"
    after: Seconds
    early: Seconds = 0.1
    late: Seconds = 0.3


class DeviationDoc(Part):
    """A known deviation."""

    shape = '{scenario: FK-01, expectation: "alice: 600 from desk", observed: "603 Decline", reason: "..."}'
    scenario: LineText
    expectation: LineText
    observed: LineText
    reason: LineText


_Timer = Annotated[
    Annotated[Seconds, Tag("<seconds>")] | Annotated[TimerDoc, Tag("<timer>")],
    by_kind(text="<seconds>", map="<timer>"),
]


def _not_none(accounts: list[AccountDoc]) -> list[AccountDoc]:
    if not accounts:
        raise Misfit("there is no account here", f"write {AccountDoc.shape}")
    return accounts


_Accounts = Annotated[
    Annotated[AccountDoc, Tag("<account>")] | Annotated[list[AccountDoc], AfterValidator(_not_none), Tag("<accounts>")],
    by_kind(map="<account>", list="<accounts>"),
]


class CarrierDoc(Part):
    """A carrier with an account of the system's."""

    shape = "192.168.1.20:5071, or {address: '192.168.1.20:5071', user: company, password: $PASSWORD_TRUNK}"
    address: Listening
    user: UserText
    password: Secret
    auth: LineText = Field(default="", alias="auth user")


_Carrier = Annotated[
    Annotated[Listening, Tag("<address>")] | Annotated[CarrierDoc, Tag("<carrier>")],
    by_kind(text="<address>", map="<carrier>"),
]


class PolicyDoc(Part):
    """What the system may take its time for, and where it is known to go its own way."""

    shape = "{prompt: 500ms, settle: 500ms, timers: {ring: 20s}}"
    prompt: Seconds = 0.4
    settle: Seconds = 0.2
    timers: dict[NewName, _Timer] = Field(default_factory=dict)
    codes: dict[NewName, CodeText] = Field(default_factory=dict)
    failover: list[CodeText] | None = None
    deviations: list[DeviationDoc] = Field(default_factory=list)


class GuardDoc(Part):
    """Limits."""

    shape = '{max calls: 100, calls per second: 2, numbers: ["6*"]}'
    hosts: list[HostText] = Field(default_factory=list)
    max_calls: Count = Field(default=1000, alias="max calls")
    calls_per_second: Rate = Field(default=5.0, alias="calls per second")
    numbers: list[NumberText] = Field(default_factory=list)
    premium: list[NumberText] | None = None
    emergency: list[NumberText] | None = None


class ProfileDoc(Part):
    """An external system."""

    shape = "a mapping that begins with 'name: ...'"
    name: NewName
    kind: KindText
    address: AddressText
    transport: TransportName = "udp"
    other_transports: dict[TransportName, AddressText] = Field(default_factory=dict, alias="other transports")
    trust: FileText = ""
    domain: DomainText = ""
    bind: IpText = ""
    advertise: HostText = ""
    outbound_proxy: AddressText | None = Field(default=None, alias="outbound proxy")
    roles: dict[NewName, _Accounts] = Field(default_factory=dict)
    shapes: ShapesDoc = Field(default_factory=ShapesDoc)
    carriers: dict[NewName, _Carrier] = Field(default_factory=dict)
    capabilities: list[CapabilityText] = Field(default_factory=list)
    lacks: list[GrantedText] = Field(default_factory=list)
    policy: PolicyDoc = Field(default_factory=PolicyDoc)
    guard: GuardDoc = Field(default_factory=GuardDoc)
    impact: ImpactName = "disruptive"


def _some(settings: dict[Text, Text]) -> dict[Text, Text]:
    if not settings:
        raise Misfit("there is no setting here", "write settings: {transaction: 2s}, or drop it", key=True)
    return settings


class BuiltInDoc(Part):
    """A built-in system with settings of its own."""

    shape = "{name: slow, builtin: kamailio, settings: {transaction: 2s}}"
    name: NewName
    builtin: LineText
    settings: Annotated[
        dict[NewName, Annotated[Text, reads(lambda text, names: text, "a value")]], AfterValidator(_some)
    ] = Field(default_factory=dict)
