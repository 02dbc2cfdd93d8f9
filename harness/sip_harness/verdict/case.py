"""One run as the judges see it, and how they write their findings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from sip_harness.model.entry import Note, Record
from sip_harness.model.expecting import Severity
from sip_harness.model.pattern import seconds
from sip_harness.model.policy import Policy
from sip_harness.model.scenario import Scenario
from sip_harness.model.verdict import Outcome
from sip_harness.sip.message import Message
from sip_harness.verdict.causes import Causes
from sip_harness.verdict.choose import Says
from sip_harness.verdict.percall import of_call
from sip_harness.verdict.stalls import Stalls
from sip_harness.verdict.traffic import Item, Owner, Traffic


@dataclass(frozen=True)
class Case:
    """Scenario, record and traffic of one run."""

    scenario: Scenario
    record: Record
    traffic: Traffic
    call: str = ""
    """Name of the call that this is about; empty: the whole run."""

    def of_call(self, name: str) -> Case:
        """The same, of one call; for an empty name all of it."""
        if not name:
            return self
        return Case(self.scenario, self.record, of_call(self.scenario, self.record, self.traffic, name), name)

    @cached_property
    def call_ids(self) -> frozenset[str] | None:
        """The Call-IDs of the one call that this is about; None: all of the run."""
        return frozenset(item.seen.sip.call_id for item in self.traffic.items) if self.call else None

    def subject(self, agent: str) -> str:
        """Whom an expectation is about, in words."""
        return f"{agent} in {self.call}" if self.call else agent

    @staticmethod
    def graded(*severities: Severity) -> Outcome:
        """What a broken expectation is."""
        return Outcome.WARN if "should" in severities else Outcome.FAIL

    @cached_property
    def system(self) -> Says:
        header = self.record.header
        return Says(header.system, header.kind, header.policy)

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

    def attempts(self, agent: str) -> int:
        """How many calls, or single requests of callers, reached this agent. A request that is made again with
        credentials is one with the first."""
        got = [i.seen.sip for i in self.traffic.at(agent, received=True) if i.seen.sip.is_request]
        begun = [m for m in got if not m.to_tag and (m.method == "INVITE" or m.method in self.methods)]
        plain = {(m.call_id, m.from_tag) for m in begun if _has_credentials(m)}
        return len([m for m in begun if _has_credentials(m) or (m.call_id, m.from_tag) not in plain])

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
            told = {m.code} if keeps_tags else {m.code, self.policy.told(m.code)}
            same = got.code in told and m.cseq[1] == got.cseq[1]
            relayed = same and (m.to_tag == got.to_tag if keeps_tags else sent.time >= min(asked, default=0))
            if relayed and sent.seen.agent in self.devices and sent.time <= item.time:
                found.append(sent.seen.agent)
        return found

    def is_over(self, item: Item) -> bool:
        """Whether the transaction of this response had its final one before: nothing but a 2xx to an INVITE may come
        after that (RFC 3261 16.7 step 5, 17.2)."""
        return any(
            i.seen.sip.code >= 200 and _asked_with(i) == _asked_with(item)
            for i in self.traffic.at(item.seen.agent, received=True)
            if i.time < item.time and not i.stray
        )

    def describe(self, item: Item) -> str:
        """The message and, for a response to what a caller has sent, who made it."""
        m = item.seen.sip
        calls = m.cseq[1] == "INVITE" or self.is_single(item)
        if m.is_request or not calls or m.code == 100 or item.seen.agent in self.devices:
            return item.seen.name
        source = self.source(item)
        return f"{item.seen.name} {'made by the system itself' if source == 'system' else f'from {source}'}"

    def remark(self, item: Item) -> str:
        """Why no agent has a use for a message, or where its cause may be sought, in words that follow its name; empty
        if there is nothing to be said."""
        late = "after the final response" if 100 <= item.seen.sip.code < 200 and self.is_over(item) else ""
        if item.stray or late:
            return f", {item.stray or late}"
        return " (to its credentials: are those of the profile right?)" if self._refuses_credentials(item) else ""

    def _refuses_credentials(self, item: Item) -> bool:
        """Whether the system challenges a caller who has answered its challenge: the fault may be the profile's."""
        m = item.seen.sip
        if m.code not in (401, 407) or item.seen.agent in self.devices or self.source(item) != "system":
            return False
        return any(
            i.seen.agent == item.seen.agent and i.seen.sip.is_request and _has_credentials(i.seen.sip)
            for i in self.traffic.sent()
            if (i.seen.sip.call_id, i.seen.sip.cseq) == (m.call_id, m.cseq)
        )

    @cached_property
    def stalls(self) -> Stalls:
        """When this machine stood still."""
        return Stalls(self.record.entries)


def _asked_with(item: Item) -> tuple[object, ...]:
    """The transaction of a response, as its request began it."""
    m = item.seen.sip
    return m.branch, m.call_id, m.cseq


def _has_credentials(message: Message) -> bool:
    return bool(message.get("authorization") or message.get("proxy-authorization"))
