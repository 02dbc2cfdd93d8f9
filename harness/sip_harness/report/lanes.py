"""The columns of a ladder: callers, the system, devices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from sip_harness.model.entry import Address, Malformed, Message, Record
from sip_harness.report.escape import visible

MAX_LANES = 40
"""More agents than this share the last lane: a record from elsewhere may name any number."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One column."""

    name: str
    """Safe to show."""
    kind: str
    """`caller`, `device`, or the kind of the system."""
    note: str
    """What stands below the name: the stack of an agent, the kind of the system."""


@dataclass(frozen=True)
class Lanes:
    """All columns, with who is where."""

    all: tuple[Lane, ...]
    system: int
    _agents: Mapping[str, int]
    _owners: Mapping[Address, str]
    """Agents by the address that is theirs alone."""

    @classmethod
    def of(cls, record: Record, others: tuple[str, ...] = ()) -> Lanes:
        """Lanes for the agents of the header in its order, and after them for any `others` and those of messages."""
        header = record.header
        roles = {r.name: Lane(visible(r.name), r.kind, r.stack) for r in header.roles}
        spoken = [e.agent for e in record.entries if isinstance(e, Message | Malformed)]
        extra = [name for name in dict.fromkeys((*others, *spoken)) if name not in roles]
        callers = [n for n, lane in roles.items() if lane.kind == "caller"]
        devices = [n for n, lane in roles.items() if lane.kind == "device"] + extra
        lanes = [*(roles[n] for n in callers), Lane(visible(header.system) or "system", header.kind, header.kind)]
        lanes += [roles.get(n) or Lane(visible(n) or "?", "device", "") for n in devices]
        places = {n: i if i < len(callers) else i + 1 for i, n in enumerate([*callers, *devices])}
        last = MAX_LANES - 1
        return cls(
            tuple(lanes[:MAX_LANES]), min(len(callers), last), {n: min(i, last) for n, i in places.items()},
            _owners(record),
        )  # fmt: skip

    def index(self, agent: str) -> int:
        """Lane of an agent; the system's for one that is not known."""
        return self._agents.get(agent, self.system)

    def at(self, address: Address, but: str) -> int:
        """Lane of whom an agent talks to at this address: another agent if it is its own, else the system."""
        owner = self._owners.get(address)
        return self._agents[owner] if owner is not None and owner != but and owner in self._agents else self.system


def _owners(record: Record) -> dict[Address, str]:
    users: dict[Address, set[str]] = defaultdict(set)
    for entry in record.entries:
        if isinstance(entry, Message | Malformed):
            users[entry.local].add(entry.agent)
    users.pop(record.header.address, None)
    return {address: next(iter(names)) for address, names in users.items() if len(names) == 1}
