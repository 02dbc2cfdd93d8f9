"""The ladder of calls while they happen: one line for each message of one agent. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.text import Text

from sip_harness.model.entry import Entry, Exit, Malformed, Message, Note
from sip_harness.record.seen import Reader, Seen
from sip_harness.report.chart import ending, name_of, tone_of
from sip_harness.report.escape import clip, visible
from sip_harness.report.ladder import STYLES, offset
from sip_harness.sip.errors import SipError

MAX_CALLS = 100
"""Calls that are remembered at once: the network must not be able to fill the memory."""
MAX_MESSAGES = 1000
"""Messages of one call that are told from their retransmissions."""
_WIDTH, _LEAST = 42, 20
"""Columns of an arrow, where there is room for it and where there is not."""
_AROUND = 15
"""Columns of a line besides arrow and names."""
_NOTES = {"refused", "unsent", "limit", "cut", "engine", "nat"}


@dataclass
class _Call:
    start: int
    reader: Reader = field(default_factory=Reader)
    keys: set[object] = field(default_factory=set)


@dataclass
class Live:
    """Draws the messages of one agent as they come."""

    agent: str
    """What the agent is called in the drawing."""
    system: str
    """What is at the other end."""
    registers: bool = True
    """Whether registrations are shown. Their refreshes are of no interest to somebody who waits for calls."""
    columns: int = 0
    """Of the terminal, as wide as it is just now; settable. 0: as many as it takes."""
    _calls: dict[str, _Call] = field(default_factory=dict, init=False)

    def lines(self, entry: Entry) -> list[Text]:
        """What there is to show of an entry: often one line, none for what is of no interest; a call has a head."""
        if isinstance(entry, Message):
            return self._message(entry)
        if isinstance(entry, Malformed):
            return [self._arrow("", f"no SIP ({len(entry.data)} bytes)", entry.direction == "received", "magenta")]
        if isinstance(entry, Note) and entry.kind in _NOTES:
            return [Text(f"           {visible(entry.text)}", "yellow")]
        if isinstance(entry, Exit):
            return [Text(f"           {visible(entry.agent or self.system)} ended: {ending(entry.status)}", "red")]
        return []

    def _message(self, entry: Message) -> list[Text]:
        received = entry.direction == "received"
        try:
            seen = Reader().read(entry)
            if seen.sip.cseq[1] == "REGISTER" and not self.registers:
                return []
            call, head = self._call(seen)
            seen = call.reader.read(entry)
        except SipError:
            return [self._arrow("", f"no SIP ({len(entry.data)} bytes)", received, "magenta")]
        key = (seen.retransmission_key, seen.sip.body)
        again = " (again)" if key in call.keys else ""
        if len(call.keys) < MAX_MESSAGES:
            call.keys.add(key)
        sdp = " (SDP)" if (seen.sip.get("content-type") or "").lower().startswith("application/sdp") else ""
        label = clip(visible(name_of(seen)), self._width - len(sdp + again) - 4) + sdp + again
        return [*head, self._arrow(offset(seen.time, call.start), label, received, STYLES[tone_of(seen)])]

    def _call(self, seen: Seen) -> tuple[_Call, list[Text]]:
        """The call of a message, with its head if it begins with this message."""
        found = self._calls.get(seen.sip.call_id)
        if found is not None:
            return found, []
        if len(self._calls) >= MAX_CALLS:
            del self._calls[next(iter(self._calls))]
        found = self._calls[seen.sip.call_id] = _Call(seen.time)
        if seen.sip.cseq[1] == "REGISTER":
            return found, []
        who, whom = (visible(seen.sip.get(name) or "") for name in ("from", "to"))
        return found, [Text(f"{seen.sip.cseq[1]} from {clip(who, 60)} to {clip(whom, 60)}", "bold")]

    @property
    def _width(self) -> int:
        room = self.columns - _AROUND - len(self.agent) - len(self.system) if self.columns else _WIDTH
        return max(_LEAST, min(_WIDTH, room))

    def _arrow(self, when: str, label: str, received: bool, style: str) -> Text:
        shaft = f"{f' {label} ':─^{self._width}}"
        arrow = f"◀{shaft}─" if received else f"─{shaft}▶"
        return Text.assemble(f"{when:>9}  {self.agent} ", (arrow, style), f" {self.system}")
