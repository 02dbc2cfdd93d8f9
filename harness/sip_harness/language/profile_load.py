"""Profile files to model."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from sip_harness.language import errors
from sip_harness.language.compose import compose
from sip_harness.language.diagnostics import Diagnostic, LanguageError, Mistake, guess, quoted
from sip_harness.language.loading import read_text
from sip_harness.language.part import Part
from sip_harness.language.profile_fields import Surroundings
from sip_harness.language.profile_schema import (
    AccountDoc,
    BuiltInDoc,
    CarrierDoc,
    GroupDoc,
    GuardDoc,
    PolicyDoc,
    ProfileDoc,
    TimerDoc,
)
from sip_harness.language.source import File, Map, walk
from sip_harness.model.entry import Address
from sip_harness.model.guard import EMERGENCY, PREMIUM, GuardRules
from sip_harness.model.place import Place
from sip_harness.model.policy import BadPolicy, Deviation, Kind, Policy, Timer
from sip_harness.model.profile import Account, BuiltInProfile, Group, Guard, Impact, Profile, Setting
from sip_harness.model.scenario import Transport
from sip_harness.model.vocabulary import GRANTED

SUFFIX = ".system.yaml"
_WRITTEN_OUT = re.compile(r"(pas*w\w*['\"]?\s*:\s*)((?!\$)[^\s,}\]][^,}\]\n]*)", re.IGNORECASE)
_PORTS = {"tls": 5061, "wss": 443, "ws": 80}


@dataclass(frozen=True)
class _Discreet(File):
    """A file whose excerpts show no password, although none should stand in it."""

    def excerpt(self, begin: int, end: int) -> str:
        masked = _WRITTEN_OUT.sub(lambda m: m[1] + "*" * len(m[2]), self.text)
        return File(self.name, masked).excerpt(begin, end)


def load_profile(path: Path, environment: Mapping[str, str] | None = None) -> Profile | BuiltInProfile:
    """Read a profile; secrets come from the environment. Raises LanguageError with every mistake."""
    try:
        text, name = read_text(path)
        source = _Discreet(name, text)
        root, mistakes = compose(source, "profile", "name: ...")
    except Mistake as mistake:
        raise LanguageError([mistake.diagnostic]) from None
    found = os.environ if environment is None else environment
    names = Surroundings(mistakes=list(mistakes), directory=path.parent, environment=found)
    kind: type[Part] = BuiltInDoc if "builtin" in root else ProfileDoc
    try:
        document = kind.model_validate(root, context=names)
    except ValidationError as error:
        raise LanguageError([*names.mistakes, *errors.diagnostics(error, root)]) from None
    if isinstance(document, BuiltInDoc):
        return _checked(_built_in(document), names.mistakes)
    profile = cast(ProfileDoc, document)
    wrong = list(_senseless(profile, root))
    policy = _policy(profile.policy, root, wrong)
    if names.mistakes or wrong or policy is None:
        raise LanguageError([*names.mistakes, *wrong])
    return _profile(profile, policy)


def _checked(profile: BuiltInProfile, mistakes: list[Diagnostic]) -> BuiltInProfile:
    if mistakes:
        raise LanguageError(mistakes)
    return profile


def _built_in(document: BuiltInDoc) -> BuiltInProfile:
    settings = tuple(Setting(str(name), str(value), name.place) for name, value in document.settings.items())
    return BuiltInProfile(str(document.name), document.builtin, settings, document.name.place)


def _senseless(document: ProfileDoc, root: Map) -> Iterator[Diagnostic]:
    """What is well formed and cannot be meant."""
    guard = document.guard
    limits = _limits(guard)
    numbers, premium, emergency = limits.numbers, limits.premium, limits.emergency
    rules = GuardRules(frozenset(), numbers=numbers, premium=premium, emergency=emergency)
    for shape in ("ring", "hunt"):
        for index, group in enumerate(getattr(document.shapes, shape)):
            spot = walk(root, ("shapes", shape, index, "dial"))[1]
            if why := rules.number_refusal(f"sip:{group.dial}@h"):
                yield spot.mistake(why).diagnostic
            for name in group.carriers or ():
                if name not in document.carriers:
                    hint = guess(name, document.carriers) or "say in 'carriers' where it listens"
                    yield name.all.mistake(f"unknown carrier {quoted(name)}", hint).diagnostic
    if document.lacks and document.kind == "proxy":
        text = "a proxy has no choice there (RFC 3261 16.6, 16.7)"
        hint = "name what it does as deviations, or write kind: b2bua"
        yield walk(root, ("lacks",), key=True)[1].mistake(text, hint).diagnostic
    for name in document.other_transports:
        if name in ("udp", document.transport):
            message = f"{name} is what agents speak that leave it open, by 'transport' and 'address'"
            place = walk(root, ("other transports", name), key=True)[1]
            yield place.mistake(message, "name other transports here").diagnostic
    spoken = {document.transport, *map(str, document.other_transports), *document.capabilities}
    if document.trust and not spoken & {"tls", "wss"}:
        hint = "write transport: tls, or drop it"
        yield walk(root, ("trust",), key=True)[1].mistake("'trust' belongs to TLS", hint).diagnostic


def _policy(document: PolicyDoc, root: Map, wrong: list[Diagnostic]) -> Policy | None:
    timers = {
        str(name): Timer(t.after, t.early, t.late) if isinstance(t, TimerDoc) else Timer(t)
        for name, t in document.timers.items()
    }
    deviations = tuple(Deviation(d.scenario, d.expectation, d.observed, d.reason) for d in document.deviations)
    codes = {str(name): code for name, code in document.codes.items()}
    failover = None if document.failover is None else tuple(sorted(set(document.failover)))
    try:
        return Policy(document.prompt, document.settle, timers, codes, deviations, failover)
    except BadPolicy as error:
        wrong.append(walk(root, ("policy", "prompt"), key=True)[1].mistake(str(error)).diagnostic)
        return None


def _profile(document: ProfileDoc, policy: Policy) -> Profile:
    default = _PORTS.get(document.transport, 5060)
    host, port = document.address
    proxy = document.outbound_proxy
    roles = {str(name): _accounts(role, name.place) for name, role in document.roles.items()}
    literal = f"[{host}]" if ":" in host else host
    return Profile(
        name=str(document.name),
        kind=cast(Kind, document.kind),
        address=(host, port or default),
        domain=document.domain or (f"{literal}:{port}" if port else literal),
        transport=document.transport,
        others=_others(document),
        trust=document.trust,
        bind=document.bind,
        advertise=document.advertise,
        outbound_proxy=(proxy[0], proxy[1] or default) if proxy else None,
        roles={name: accounts[0] for name, accounts in roles.items()},
        spares={name: accounts[1:] for name, accounts in roles.items() if accounts[1:]},
        groups=tuple(_groups(document)),
        carriers={str(name): _listening(one)[1] for name, one in document.carriers.items()},
        routes={
            str(name): cast(Transport, by) for name, one in document.carriers.items() if (by := _listening(one)[0])
        },
        trunks={
            str(name): Account(one.user, one.password, one.auth, name.place)
            for name, one in document.carriers.items()
            if isinstance(one, CarrierDoc)
        },
        capabilities=frozenset({*document.capabilities, *GRANTED} - {*document.lacks}),
        policy=policy,
        guard=_limits(document.guard),
        impact=cast(Impact, document.impact),
        place=document.name.place,
    )


def _others(document: ProfileDoc) -> dict[Transport, Address]:
    """Where it listens by other transports: what is only said to be spoken is spoken at the usual place."""
    host, port = document.address
    usual = {"tcp": port or 5060, "tls": _PORTS["tls"]}
    said = {*document.capabilities, *(_listening(one)[0] for one in document.carriers.values())}
    spoken = {cast(Transport, name): (host, usual[name]) for name in usual if name in said}
    named = {
        cast(Transport, str(name)): (at, port or _PORTS.get(name, 5060))
        for name, (at, port) in document.other_transports.items()
    }
    return {**spoken, **named}


def _listening(carrier: CarrierDoc | tuple[str, Address]) -> tuple[str, Address]:
    return carrier.address if isinstance(carrier, CarrierDoc) else carrier


def _limits(guard: GuardDoc) -> Guard:
    return Guard(
        hosts=tuple(guard.hosts),
        max_calls=guard.max_calls,
        calls_per_second=guard.calls_per_second,
        numbers=tuple(guard.numbers),
        premium=PREMIUM if guard.premium is None else tuple(guard.premium),
        emergency=EMERGENCY if guard.emergency is None else tuple(guard.emergency),
    )


def _groups(document: ProfileDoc) -> Iterator[Group]:
    place = document.name.place
    for shape, groups in (("ring", document.shapes.ring), ("hunt", document.shapes.hunt)):
        for one in groups:
            yield _group(one, "ring" if shape == "ring" else "hunt", place)


def _group(document: GroupDoc, shape: str, place: Place) -> Group:
    return Group(
        "ring" if shape == "ring" else "hunt",
        document.dial,
        tuple(_account(member, place) for member in document.members or ()),
        tuple(map(str, document.carriers or ())),
        place,
    )


def _accounts(role: AccountDoc | list[AccountDoc], place: Place) -> tuple[Account, ...]:
    return tuple(_account(one, place) for one in (role if isinstance(role, list) else [role]))


def _account(document: AccountDoc, place: Place) -> Account:
    return Account(document.user, document.password, document.auth, place)
