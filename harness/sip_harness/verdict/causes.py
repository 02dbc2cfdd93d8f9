"""What a message of the system is a reaction to, and so how late it came.

For each message that an agent gets there is a latest moment at which the system had all it needed to send it. Only
where that is certain is a time given: what may have waited for a timer of the system has no prompt cause.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from sip_harness.model.entry import Header
from sip_harness.model.pattern import RequestPattern
from sip_harness.model.scenario import Scenario
from sip_harness.model.wanted import Expected
from sip_harness.verdict.traffic import Item, Traffic


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that an agent sent and that the system has to react to."""

    item: Item
    also: Item | None = None
    """What the system had to wait for besides, if that came later than the thing itself."""

    @property
    def time(self) -> int:
        """The latest moment at which the system had it, nanoseconds since the epoch."""
        return max(_until(i) for i in (self.item, self.also) if i is not None)

    def __str__(self) -> str:
        return f"{self.item.seen.agent} sent {self.item.seen.name}"


class Causes:
    """Finds causes in the traffic of one run."""

    def __init__(self, scenario: Scenario, header: Header, traffic: Traffic) -> None:
        self._calls: dict[str, Causes] | None = None
        """Where calls may overlap: the causes within each, by Call-ID."""
        if scenario.timed:
            self._calls = {
                call_id: Causes(_in_turn(scenario), header, Traffic(tuple(items)))
                for call_id, items in _by_call(traffic).items()
            }
        self._kind = header.kind
        self._devices = {d.name for d in scenario.devices}
        self._sent = traffic.sent()
        self._before = {
            m: {b for step in t.steps[:place] for b in step}
            for t in scenario.targets
            if t.shape == "hunt"
            for place, members in enumerate(t.steps)
            for m in members
        }
        self._traffic = traffic
        self._invites = [
            i for d in sorted(self._devices) for i in traffic.at(d, received=True) if i.seen.sip.method == "INVITE"
        ]
        self._branches = {(i.seen.agent, i.seen.sip.branch) for i in self._invites}

    def of(self, item: Item) -> Cause | None:
        """What the system reacted to with this message, or None if that is not certain: as where calls overlap whose
        legs have Call-IDs of their own."""
        m = item.seen.sip
        if self._calls is not None:
            return self._calls[m.call_id].of(item) if self._kind == "proxy" else None
        if m.is_request:
            return self.of_request(item.seen.agent, m.method, before=item.time, to_tag=m.to_tag, acks=item.seen.acks)
        if m.cseq[1] == "INVITE":
            return self._of_response(item)
        if m.cseq[1] == "CANCEL":
            return _last(i for i in self._own(item, "CANCEL"))
        if m.code >= 300 and self._kind == "proxy" and (devices := self._asked(item)):
            ends = self._ends(devices, self._earlier(item), m.cseq[1])
            return None if ends is None else _last(ends)
        return _last(self._relayed(item))

    def of_missing(self, agent: str, expected: Expected, end: int) -> Cause | None:
        """What should have brought a message that never came, as far as requests to devices go."""
        pattern = expected.pattern
        if not isinstance(pattern, RequestPattern) or self._calls is not None:
            return None
        acks = next(iter(pattern.acks), 0)
        return self.of_request(agent, pattern.method, before=end, to_tag="", acks=acks)

    def of_request(self, agent: str, method: str, *, before: int, to_tag: str, acks: int) -> Cause | None:
        """The cause of a request at a device, among what was sent before a time."""
        earlier = [i for i in self._sent if i.time < before]
        if method == "CANCEL":
            return self._of_cancel(agent, earlier)
        if method == "ACK" and acks >= 300:  # hop by hop, RFC 3261 17.1.1.3
            return _last(i for i in earlier if i.seen.agent == agent and i.seen.sip.code == acks)
        callers = [i for i in earlier if i.seen.agent not in self._devices and i.seen.sip.method == method]
        if method in ("ACK", "BYE") and self._kind == "b2bua":
            return self._of_a_leg(agent, method, earlier)
        if method in ("ACK", "BYE"):
            return _last(i for i in callers if not to_tag or self._kind != "proxy" or i.seen.sip.to_tag == to_tag)
        if method == "INVITE":
            return self._of_invite(agent, callers, earlier, before)
        return _last(callers)

    def _of_invite(self, agent: str, callers: list[Item], earlier: list[Item], before: int) -> Cause | None:
        """The caller's, and in a hunt the last final of those that were tried before (RFC 3261 16.6)."""
        invite = _last(callers)
        if invite is None:
            return None
        tried = self._before.get(agent, set()) & self._reached(invite.item.time, before)
        ends = self._ends(tried, [i for i in earlier if i.time >= invite.item.time])
        if ends is None or any(i.seen.sip.code < 300 for i in ends):  # an answer ends a hunt
            return None
        return _last([*callers, *ends])

    def _reached(self, begin: int, end: int) -> set[str]:
        """Devices that an INVITE reached in this time."""
        return {i.seen.agent for i in self._invites if begin <= i.time <= end}

    def _of_a_leg(self, agent: str, method: str, earlier: list[Item]) -> Cause | None:
        """A leg of a B2BUA gets its ACK at once when it has answered, or when another agent of the call sends its own;
        its BYE when another hangs up, or at once if it had been cancelled. Any other BYE may be that of a timer."""
        current = self._since_last_invite(earlier, earlier)
        others = [i for i in current if i.seen.agent != agent and i.seen.sip.method == method]
        answers = [i for i in current if i.seen.agent == agent and self._is_final(i) and i.seen.sip.code < 300]
        if method == "BYE" and not others and not self._was_cancelled(agent, answers):
            return None
        return _last([*others, *answers])

    def _was_cancelled(self, agent: str, answers: list[Item]) -> bool:
        got = [i for i in self._traffic.at(agent, received=True) if i.seen.sip.method == "CANCEL"]
        return any(cancel.time < answer.time for cancel in got for answer in answers)

    def _of_cancel(self, agent: str, earlier: list[Item]) -> Cause | None:
        """RFC 3261 16.7 steps 5 and 10, 16.10: a 2xx or 6xx of another branch, or the caller's CANCEL; and not before
        this branch has sent a provisional (9.1)."""
        provisionals = [i for i in earlier if i.seen.agent == agent and 100 <= i.seen.sip.code < 200]
        enough = [i for i in earlier if i.seen.agent != agent and self._ends_the_fork(i)]
        current = self._since_last_invite(enough, earlier)
        if not current or not provisionals:
            return None
        first = min(current, key=lambda i: i.time)
        return Cause(first, min(self._since_last_invite(provisionals, earlier) or provisionals, key=lambda i: i.time))

    def _since_last_invite(self, items: list[Item], earlier: list[Item]) -> list[Item]:
        invites = [i for i in earlier if i.seen.sip.method == "INVITE"]
        begin = max((i.time for i in invites), default=0)
        return [i for i in items if i.time >= begin]

    def _of_response(self, item: Item) -> Cause | None:
        m = item.seen.sip
        own = list(self._own(item, "INVITE"))
        if m.code == 100:
            return _last(own)
        if m.code < 300:
            return _last(self._relayed(item))
        return self._of_failure(item, own)

    def _of_failure(self, item: Item, own: list[Item]) -> Cause | None:
        """A failure is due when the last branch has ended (RFC 3261 16.7 step 6); one that follows another was passed
        on by itself."""
        invite = _last(own)
        begin = invite.item.time if invite else 0
        if self._has_failed(item, begin):
            return _last(self._relayed(item))
        ends = self._ends(self._reached(begin, item.time), [i for i in self._earlier(item) if i.time >= begin])
        if ends is None and self._kind == "b2bua" and item.seen.sip.code == 487:
            return _last(self._own(item, "CANCEL"))  # it need not wait for its legs
        return None if ends is None else _last([*ends, *own])

    def _has_failed(self, item: Item, begin: int) -> bool:
        """Whether this agent had a failure before this one, to the INVITE that it sent at `begin`."""
        before = (i for i in self._traffic.at(item.seen.agent, received=True) if begin <= i.time < item.time)
        return any(_says_final(i) and i.seen.sip.code >= 300 for i in before)

    def _relayed(self, item: Item) -> Iterator[Item]:
        """The responses of devices that this one may be."""
        m = item.seen.sip
        for sent in self._earlier(item):
            same = (sent.seen.sip.code, sent.seen.sip.cseq[1]) == (m.code, m.cseq[1])
            if same and self._same_branch(sent, item):
                yield sent

    def _earlier(self, item: Item) -> list[Item]:
        return [i for i in self._sent if i.time < item.time]

    def _own(self, item: Item, method: str) -> list[Item]:
        return [i for i in self._earlier(item) if i.seen.agent == item.seen.agent and i.seen.sip.method == method]

    def _asked(self, answer: Item) -> set[str]:
        """Devices that a request outside of a dialog reached, other than INVITE, to which this is the answer."""
        asked = [i for i in self._own(answer, answer.seen.sip.cseq[1]) if not i.seen.sip.to_tag]
        begin = max((i.time for i in asked), default=answer.time)
        got = [i for d in self._devices for i in self._traffic.at(d, received=True) if begin <= i.time < answer.time]
        return {i.seen.agent for i in got if i.seen.sip.method == answer.seen.sip.cseq[1] and not i.seen.sip.to_tag}

    def _ends(self, devices: set[str], sent: list[Item], method: str = "INVITE") -> list[Item] | None:
        """The first final of each device, or None if one has sent none: a timer ended its branch, not a reaction."""
        finals: dict[str, Item] = {}
        for item in sorted(sent, key=lambda i: i.time):
            final = self._is_final(item) if method == "INVITE" else _ends_a(method, item)
            if item.seen.agent in devices and final:
                finals.setdefault(item.seen.agent, item)
        return list(finals.values()) if finals.keys() == devices else None

    def _is_final(self, item: Item) -> bool:
        """Whether it ends a branch: to the system a response with another Via branch answers nothing (17.1.3)."""
        return _says_final(item) and (item.seen.agent, item.seen.sip.branch) in self._branches

    def _ends_the_fork(self, item: Item) -> bool:
        m = item.seen.sip
        return m.method == "CANCEL" or (self._is_final(item) and (m.code < 300 or m.code >= 600))

    def _same_branch(self, sent: Item, got: Item) -> bool:
        if sent.seen.agent not in self._devices:
            return False
        return self._kind != "proxy" or sent.seen.sip.to_tag == got.seen.sip.to_tag


def _in_turn(scenario: Scenario) -> Scenario:
    """The scenario as each of its calls sees it."""
    return replace(scenario, watch=None, calls=tuple(replace(call, at=None) for call in scenario.calls))


def _by_call(traffic: Traffic) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for item in traffic.items:
        found.setdefault(item.seen.sip.call_id, []).append(item)
    return found


def _last(items: Iterable[Item]) -> Cause | None:
    found = list(items)
    return Cause(max(found, key=lambda i: i.time)) if found else None


def _until(item: Item) -> int:
    return item.seen.entry.time + item.seen.entry.slack


def _ends_a(method: str, item: Item) -> bool:
    return item.seen.sip.code >= 200 and item.seen.sip.cseq[1] == method


def _says_final(item: Item) -> bool:
    return item.seen.sip.code >= 200 and item.seen.sip.cseq[1] == "INVITE"
