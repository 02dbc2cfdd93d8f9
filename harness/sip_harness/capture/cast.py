"""Who is who in a captured call, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sip_harness.capture.exchanges import exchanges
from sip_harness.capture.legs import Leg, shown, unmet, user_of
from sip_harness.capture.story import Story
from sip_harness.capture.wording import names_somebody, visible
from sip_harness.model.entry import Address
from sip_harness.sip.codes import lookup

_PHONES = ("desk", "mobile", "tablet", "softphone")
_CANCELLED = 487
LONGEST_METHOD = 20
"""Characters of a method that are told."""
_MOST_REFUSALS = 3


@dataclass(frozen=True, slots=True)
class Cast:
    """Who is who: the names that the scenario gives."""

    legs: dict[str, tuple[Leg, ...]]
    """What was said with each device or carrier, by its name, in the order in which the system first tried them."""
    groups: tuple[tuple[str, ...], ...]
    """Who was tried at once, in turn."""
    carriers: bool
    caller: str = "alice"

    @property
    def target(self) -> str:
        """What is dialled."""
        return "pstn" if self.carriers else "bob"

    @property
    def shape(self) -> str:
        """The shape of the target in words."""
        names = [group[0] if len(group) == 1 else f"[{', '.join(group)}]" for group in self.groups]
        if self.carriers or len(self.groups) > 1:
            return f"{{hunt: [{', '.join(names)}]}}"
        return f"{{ring: [{', '.join(self.groups[0])}]}}"

    @property
    def needs(self) -> str:
        """What the system has to be able to do."""
        if self.carriers:
            asked = any(_is_challenged(leg) for legs in self.legs.values() for leg in legs)
            return "carriers, carrier-accounts" if asked else "carriers"
        return "ring" if len(self.groups) == 1 else "mixed" if any(len(g) > 1 for g in self.groups) else "hunt"


def _is_challenged(leg: Leg) -> bool:
    """Whether the system has shown an account to whoever was called."""
    met = len(unmet(leg.said)) < sum(s.is_final for s in leg.said)
    return met or any(e.met and e.request.by_system for e in exchanges(leg.said))


def cast(story: Story, *, phones: bool | None = None) -> Cast:
    """Give names to those who were called: `phones` says what they are; None: it is found out."""
    carriers = _are_carriers(story) if phones is None else not phones
    names: dict[Address, str] = {}
    for leg in story.tried:
        number = len(names)
        phone = _PHONES[number] if number < len(_PHONES) else f"phone-{number + 1}"
        names.setdefault(leg.peer, f"g{number + 1}" if carriers else phone)
    legs = {name: tuple(leg for leg in story.tried if leg.peer == peer) for peer, name in names.items()}
    groups: list[tuple[str, ...]] = []
    for group in story.groups:
        new = tuple(dict.fromkeys(names[leg.peer] for leg in group if not _among(names[leg.peer], groups)))
        if new and carriers:  # a list of carriers is a list: who was tried at once stands there in turn
            groups += [(name,) for name in new]
        elif new:
            groups.append(new)
    return Cast(legs, tuple(groups), carriers)


def _are_carriers(story: Story) -> bool:
    """Whether those who were called look like carriers: none of them has registered, they were tried in turn, and the
    next one only for want of service."""
    if any(len(group) > 1 for group in story.groups) or any(leg.peer in story.registered for leg in story.tried):
        return False
    here = {user_of(leg.invite.sip.uri) for leg in story.tried}
    finals = [
        [s.sip.code for s in leg.said if not s.by_system and s.is_final]
        for leg in story.tried[:-1]
        # Whom the system has given up said nothing of his own; phones of a group have users of their own.
        if not (_is_given_up(leg) and len(here) == 1)
    ]
    return all(lookup(codes[-1]).failover == "yes" for codes in finals if codes)


def _is_given_up(leg: Leg) -> bool:
    cancelled = any(s.by_system and s.sip.method == "CANCEL" for s in leg.said)
    return cancelled and [s.sip.code for s in leg.said if s.is_final][-1:] == [_CANCELLED]


def _among(name: str, groups: Sequence[tuple[str, ...]]) -> bool:
    return any(name in group for group in groups)


def summary(story: Story, named: Cast) -> str:
    """What became of each that was tried, in words."""
    return ", ".join(f"{name} {fate(legs[-1])}" for name, legs in named.legs.items()) or "nobody is tried"


def fate(leg: Leg) -> str:
    """What became of one that was tried, in words."""
    answers = [s.sip for s in leg.said if not s.by_system and s.answers]
    cancelled = any(s.by_system and s.sip.method == "CANCEL" for s in leg.said)
    if not answers:
        return "says nothing"
    last = answers[-1]
    if cancelled and last.code in (_CANCELLED, *range(100, 200)):
        return "is cancelled"
    phrase = "" if names_somebody(last.reason) else visible(last.reason)
    words = f"{last.code} {phrase}".strip()
    if last.code < 200:
        return f"says {words} and nothing more"
    return " and ".join([f"answers {words}", *_refusals(leg)])


def _refusals(leg: Leg) -> list[str]:
    """What was refused within the call, the first few, in words."""
    found = []
    for exchange in exchanges(leg.said):
        if exchange.final is not None and exchange.final.sip.code >= 300 and not exchange.met:
            told = "" if exchange.request.by_system else "is told "
            found.append(f"{told}{exchange.final.sip.code} to {visible(exchange.name[:LONGEST_METHOD])}")
    return list(dict.fromkeys(found))[:_MOST_REFUSALS]


def who(story: Story, named: Cast) -> list[str]:
    """Whose address each name stands for, line by line. It belongs beside the scenario, not into it."""
    first = story.legs[0]
    node = first.invite.packet.target if first.incoming else first.invite.packet.source
    caller = (named.caller, shown(story.caller.peer) if story.caller else "not in the capture")
    rest = [(name, shown(legs[0].peer)) for name, legs in named.legs.items()]
    lines = [("the system", shown(node)), caller, *rest]
    width = max(len(name) for name, _ in lines)
    return [f"{name:{width}}  {address}" for name, address in lines]
