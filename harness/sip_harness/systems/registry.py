"""Systems that need no profile: started here, known by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sip_harness.model.faults import FAULTS, Fault
from sip_harness.model.policy import Kind
from sip_harness.model.vocabulary import CAPABILITIES
from sip_harness.systems import kamailio, kamailio_settings
from sip_harness.systems.base import System
from sip_harness.systems.names import UnknownName
from sip_harness.systems.reference import b2bua, b2bua_core, trunk, trunk_registration
from sip_harness.systems.reference import system as reference
from sip_harness.systems.reference.auth import PASSWORD
from sip_harness.systems.reference.settings import Settings
from sip_harness.systems.settings import read_settings, types_of

_VARIANT = frozenset({"digest", "password", "faults"})
"""Settings of the embedded systems that are no matter of a profile."""


class UnknownSystem(UnknownName):
    """No built-in system has this name."""


@dataclass(frozen=True)
class BuiltIn:
    """A built-in system as a listing shows it."""

    name: str
    summary: str
    kind: Kind
    capabilities: tuple[str, ...]
    """In the order and the words of the vocabulary."""
    faults: tuple[Fault, ...]
    """Fault switches that it has."""


@dataclass(frozen=True)
class _Entry:
    about: BuiltIn
    make: Callable[[tuple[str, ...], dict[str, Any]], System]
    """From fault switches and settings."""
    settings: Mapping[str, object]
    """Types of the settings that a profile may give, by name."""


def _kamailio(*, digest: bool = False, tls: bool = False, ws: bool = False) -> _Entry:
    about = BuiltIn(
        name=kamailio_settings.name_of(digest, tls, ws),
        summary="Kamailio on loopback: registrar, forking and hunting proxy, carriers with failover"
        + (", challenging registrations and callers" if digest else "")
        + (", with TLS and a certificate authority of its own" if tls or ws else "")
        + (", and WebSocket" if ws else ""),
        kind="proxy",
        capabilities=tuple(c for c in CAPABILITIES if c in kamailio_settings.capabilities(digest, tls, ws)),
        faults=tuple(FAULTS[name] for name in kamailio_settings.FAULTS),
    )
    return _Entry(
        about,
        lambda faults, given: kamailio.Kamailio(
            digest=digest, tls=tls, ws=ws, faults=faults, settings=kamailio_settings.Settings(**given)
        ),
        types_of(kamailio_settings.Settings, ()),
    )


def _reference(*, digest: bool = False) -> _Entry:
    known = reference.faults_of(digest)
    about = BuiltIn(
        name=reference.name_of(digest),
        summary="embedded: registrar, forking and hunting proxy, routes to carriers"
        + (", challenging registrations and callers" if digest else ""),
        kind="proxy",
        capabilities=tuple(c for c in CAPABILITIES if c in reference.capabilities(digest)),
        faults=tuple(FAULTS[name] for name in known),
    )
    settings = Settings(digest=digest, password=PASSWORD)
    return _Entry(
        about,
        lambda faults, given: reference.Reference(settings=replace(settings, **given), faults=faults),
        types_of(Settings, _VARIANT),
    )


def _b2bua(*, digest: bool = False) -> _Entry:
    about = BuiltIn(
        name=b2bua.name_of(digest),
        summary="embedded: PBX with ring and hunt groups and accounts at carriers, every leg a call of its own"
        + (", challenging registrations and callers" if digest else ""),
        kind="b2bua",
        capabilities=tuple(c for c in CAPABILITIES if c in b2bua.capabilities_of(digest)),
        faults=tuple(FAULTS[name] for name in b2bua.faults_of(digest)),
    )
    settings = b2bua_core.Settings(digest=digest, password=PASSWORD)
    return _Entry(
        about,
        lambda faults, given: b2bua.ReferenceB2bua(settings=replace(settings, **given), faults=faults),
        types_of(b2bua_core.Settings, _VARIANT),
    )


def _trunk() -> _Entry:
    about = BuiltIn(
        name=trunk.NAME,
        summary="embedded: client that registers at carriers, as a PBX does with its trunks",
        kind="trunk-client",
        capabilities=tuple(c for c in CAPABILITIES if c in trunk.CAPABILITIES),
        faults=tuple(FAULTS[name] for name in trunk.FAULTS),
    )
    return _Entry(
        about,
        lambda faults, given: trunk.ReferenceTrunk(patience=trunk_registration.Patience(**given), faults=faults),
        types_of(trunk_registration.Patience, _VARIANT),
    )


_SYSTEMS = {
    entry.about.name: entry
    for entry in (
        _reference(),
        _reference(digest=True),
        _b2bua(),
        _b2bua(digest=True),
        _trunk(),
        _kamailio(),
        _kamailio(digest=True),
        _kamailio(tls=True),
        _kamailio(ws=True),
    )
}


def describe() -> list[BuiltIn]:
    """All built-in systems."""
    return [entry.about for entry in _SYSTEMS.values()]


def create(name: str, *, faults: tuple[str, ...] = (), settings: Mapping[str, str] | None = None) -> System:
    """A built-in system, not started, with these fault switches on and these settings, as a profile writes them.

    Raises UnknownSystem for a name that is none of these, UnknownName for a fault or a setting that this system does
    not have, ValueError for a setting that it cannot have.
    """
    if name not in _SYSTEMS:
        raise UnknownSystem("system", name, _SYSTEMS)
    entry = _SYSTEMS[name]
    return entry.make(faults, read_settings(settings or {}, entry.settings))
