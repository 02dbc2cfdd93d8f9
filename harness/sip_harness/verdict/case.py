"""One run as the judges see it, and how they write their findings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from sip_harness.model.entry import Lag, Note, Record
from sip_harness.model.pattern import seconds
from sip_harness.model.policy import Policy
from sip_harness.model.scenario import Scenario
from sip_harness.verdict.causes import Causes
from sip_harness.verdict.traffic import Item, Owner, Traffic


@dataclass(frozen=True)
class Case:
    """Scenario, record and traffic of one run."""

    scenario: Scenario
    record: Record
    traffic: Traffic

    @cached_property
    def causes(self) -> Causes:
        return Causes(self.scenario, self.record.header, self.traffic)

    @cached_property
    def devices(self) -> frozenset[str]:
        return frozenset(d.name for d in self.scenario.devices)

    @property
    def policy(self) -> Policy:
        return self.record.header.policy

    @property
    def cite(self) -> str:
        """The rules that the scenario is about."""
        return "; ".join(self.scenario.cite)

    @property
    def prompt(self) -> str:
        """The time for a prompt reaction, in words."""
        return seconds(self.policy.prompt)

    @cached_property
    def begin(self) -> int:
        """Where times in findings count from: the first message of a call. Nanoseconds since the epoch."""
        calls = (i.time for i in self.traffic.items if i.owner is Owner.CALL)
        return next(calls, self.record.header.started)

    @cached_property
    def end(self) -> int:
        """When the last thing happened, nanoseconds since the epoch."""
        return max([self.record.header.started, *(e.time for e in self.record.entries)])

    @cached_property
    def methods(self) -> tuple[str, ...]:
        """Methods of what callers send: INVITE, and those of single requests."""
        return tuple(dict.fromkeys(call.method for call in self.scenario.calls))

    @cached_property
    def _singles(self) -> dict[str, str]:
        """Method of every single request of a caller by its Call-ID."""
        notes = (e.data for e in self.record.entries if isinstance(e, Note) and e.kind == "call")
        return {data["call_id"]: data["method"] for data in notes if data.get("call_id") and data.get("method")}

    def is_single(self, item: Item) -> bool:
        """Whether this is a single request of a caller, or a response to it."""
        return self._singles.get(item.seen.sip.call_id) == item.seen.sip.cseq[1]

    def called(self, agent: str) -> bool:
        """Whether any call, or single request of a caller, reached this agent; while a system is watched that acts by
        itself, any request."""
        got = self.traffic.at(agent, received=True)
        if self.scenario.watch is not None and any(i.seen.sip.is_request for i in got):
            return True
        return any(i.seen.sip.method == "INVITE" or (i.seen.sip.is_request and self._is_sent(i)) for i in got)

    def _is_sent(self, item: Item) -> bool:
        """Whether it is what a caller has sent as a call of another method."""
        return item.owner is Owner.CALL and item.seen.sip.method in self.methods and not item.seen.sip.to_tag

    def source(self, item: Item) -> str:
        """The device whose response this is, or `system` if it made the response by itself. The last one that it may
        be where a B2BUA does not let us tell."""
        return next(iter(self._sources(item)), "system")

    def may_be_from(self, item: Item, source: str) -> bool:
        """Whether this can be the source of a response.

        A proxy must not change the To-tag (RFC 3261 16.7 step 9) and so is sure. A B2BUA has tags of its own: what it
        has passed on is known by its code and its time alone, and a 487 may always be its own answer to a CANCEL.
        """
        sources = self._sources(item)
        if self.record.header.kind == "proxy":
            return source == next(iter(sources), "system")
        return source in sources or (source == "system" and (not sources or item.seen.sip.code == 487))

    def _sources(self, item: Item) -> list[str]:
        """The devices that have sent such a response since this agent has asked, the last one first."""
        got = item.seen.sip
        keeps_tags = self.record.header.kind == "proxy"
        asked = [i.time for i in self.traffic.sent() if i.seen.sip.is_request and i.seen.sip.call_id == got.call_id]
        found = []
        for sent in reversed(self.traffic.sent()):
            m = sent.seen.sip
            same = (m.code, m.cseq[1]) == (got.code, got.cseq[1])
            relayed = same and (m.to_tag == got.to_tag if keeps_tags else sent.time >= min(asked, default=0))
            if relayed and sent.seen.agent in self.devices and sent.time <= item.time:
                found.append(sent.seen.agent)
        return found

    def describe(self, item: Item) -> str:
        """The message and, for a response to what a caller has sent, who made it."""
        m = item.seen.sip
        calls = m.cseq[1] == "INVITE" or self.is_single(item)
        if m.is_request or not calls or m.code == 100 or item.seen.agent in self.devices:
            return item.seen.name
        source = self.source(item)
        return f"{item.seen.name} {'made by the system itself' if source == 'system' else f'from {source}'}"

    def starved(self, begin: int, end: int) -> bool:
        """Whether this machine stood still in that time so long that the system cannot be blamed for lateness."""
        lags = (e for e in self.record.entries if isinstance(e, Lag) and e.time >= begin and e.time - e.lag <= end)
        return any(lag.lag > self.policy.prompt * 0.5e9 for lag in lags)
