"""Who made a message that the stack sends: decided by what was ordered, never by how it looks.

A message is the script's if the worker has just asked for it; it is `protocol` if any user agent had to send it then;
everything else is the stack's own idea (`engine`). A retransmission is whose the first sending was.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sip_harness.model.entry import Origin
from sip_harness.sip.message import Message

_LIMIT = 8192
"""Transactions that are remembered; the network must not be able to fill the memory."""
_CREDENTIALS = (401, 407)

V = TypeVar("V")


class Bounded(Generic[V]):
    """A mapping that forgets its oldest entries."""

    def __init__(self, limit: int = _LIMIT) -> None:
        self._limit = limit
        self._items: OrderedDict[Hashable, V] = OrderedDict()

    def put(self, key: Hashable, value: V) -> None:
        self._items[key] = value
        self._items.move_to_end(key)
        if len(self._items) > self._limit:
            self._items.popitem(last=False)

    def get(self, key: Hashable) -> V | None:
        return self._items.get(key)

    def pop(self, key: Hashable) -> V | None:
        return self._items.pop(key, None)

    def __len__(self) -> int:
        return len(self._items)


@dataclass
class Origins:
    """Told what is ordered and what arrives; says of each message sent whose it is."""

    _responses: Bounded[Origin] = field(default_factory=Bounded, init=False)
    """Ordered responses to INVITEs: Call-ID, branch, code."""
    _requests: Bounded[Origin] = field(default_factory=Bounded, init=False)
    """Ordered requests in a call: Call-ID, method."""
    _calls: Bounded[int] = field(default_factory=Bounded, init=False)
    """Calls that were ordered: Call-ID to the last final response to their INVITE, 0 before there is one."""
    _cancelled: Bounded[bool] = field(default_factory=Bounded, init=False)
    """INVITEs to which a CANCEL has come: Call-ID, branch."""
    _hung_up: Bounded[bool] = field(default_factory=Bounded, init=False)
    """Dialogs that a BYE has ended: Call-ID, the peer's tag."""
    _first: Bounded[Origin] = field(default_factory=Bounded, init=False)
    """Origin of what was sent, for its retransmissions."""
    _inviting: bool = field(default=False, init=False)

    def order_response(self, invite: Message, code: int, origin: Origin) -> None:
        """The next response with this code to this INVITE is made to order."""
        self._responses.put((invite.call_id, invite.branch, code), origin)

    def withdraw_response(self, invite: Message, code: int) -> None:
        """The order could not be carried out."""
        self._responses.pop((invite.call_id, invite.branch, code))

    def order_request(self, call_id: str, method: str, origin: Origin) -> None:
        """A CANCEL or BYE for this call is made to order, whenever the stack finds it may send it."""
        self._requests.put((call_id, method), origin)

    def order_invite(self) -> None:
        """The next INVITE outside a dialog begins a call that was ordered: the stack makes up its Call-ID."""
        self._inviting = True

    def received(self, message: Message) -> None:
        """Take note of what arrives."""
        if message.method == "CANCEL":
            self._cancelled.put((message.call_id, message.branch), True)
        elif message.method == "BYE":
            self._hung_up.put((message.call_id, message.from_tag), True)
        elif message.code >= 200 and message.cseq[1] == "INVITE" and self._calls.get(message.call_id) is not None:
            self._calls.put(message.call_id, message.code)

    def of(self, message: Message) -> Origin:
        """Origin of a message that is being sent."""
        key = (message.call_id, message.branch, message.cseq, message.method or message.code, message.to_tag)
        ordered = self._ordered(message)
        origin = ordered or self._first.get(key) or self._unordered(message)
        self._first.put(key, origin)
        return origin

    def _ordered(self, message: Message) -> Origin | None:
        if message.is_request:
            return self._ordered_request(message.call_id, message.method)
        if message.cseq[1] == "INVITE":
            return self._responses.pop((message.call_id, message.branch, message.code))
        return None

    def _ordered_request(self, call_id: str, method: str) -> Origin | None:
        origin = self._requests.get((call_id, method))
        if origin is None and method == "BYE" and self._requests.get((call_id, "CANCEL")):
            return "protocol"  # the CANCEL came too late: what it was to end is ended so (RFC 3261 9.1, 15)
        return origin

    def _unordered(self, message: Message) -> Origin:
        if message.method == "INVITE":
            return self._invite(message)
        if message.is_request:
            return "protocol" if message.method in ("ACK", "PRACK", "REGISTER") else "engine"
        return "protocol" if self._must(message) else "engine"

    def _invite(self, message: Message) -> Origin:
        if message.to_tag:
            return "engine"
        if self._inviting:
            self._inviting = False
            self._calls.put(message.call_id, 0)
            return "script"
        # RFC 3261 22.2: the same call, tried again with credentials.
        return "script" if self._calls.get(message.call_id) in _CREDENTIALS else "engine"

    def _must(self, message: Message) -> bool:
        """Whether any user agent had to answer so (RFC 3261 8.2.6.1, 9.2, 11.2, 12.2.2, 15.1.2; RFC 3262 3)."""
        code, method = message.code, message.cseq[1]
        if method == "INVITE":
            cancelled = self._cancelled.get((message.call_id, message.branch))
            hung_up = self._hung_up.get((message.call_id, message.from_tag))
            return code == 100 or (code == 487 and bool(cancelled or hung_up))
        if method in ("BYE", "CANCEL", "PRACK"):
            return code in (200, 481)
        return method == "OPTIONS" and code == 200
