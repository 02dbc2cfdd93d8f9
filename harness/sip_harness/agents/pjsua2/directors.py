"""The library's callbacks, each made safe and handed on. Worker processes only.

Callbacks only take note: an answer from inside one can abort the process. An exception in one would be printed and
forgotten, so it is kept and raised once the library has returned.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, Protocol

import pjsua2 as pj  # noqa: TID251 - this runs in a worker process

P = ParamSpec("P")
DECLINE = 603
"""For what would make the stack place or replace calls that no script asks for (REFER, Replaces)."""


class Host(Protocol):
    """Takes what the callbacks tell."""

    def incoming(self, account: Account, call: int, invite: str) -> None:
        """An INVITE outside a dialog. Without a Call object for it the stack answers 500."""

    def changed(self, call: Call, info: pj.CallInfo) -> None:
        """A call has reached another state."""

    def rejected(self, code: int, reason: str, invite: str) -> None:
        """The stack has refused an INVITE by itself."""

    def registration(self, code: int, reason: str, expires: int) -> None:
        """A final response to a REGISTER, or what the stack makes of its absence."""

    def broke(self, error: Exception) -> None:
        """A callback failed."""


def _safely(host: Host, take: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    try:
        take(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 - the library would print and forget it
        host.broke(error)


class Endpoint(pj.Endpoint):
    """The library; one at a time."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.host = host

    def onRejectedIncomingCall(self, prm: pj.OnRejectedIncomingCallParam) -> None:  # noqa: N802 - the library's name
        _safely(self.host, self.host.rejected, prm.statusCode, prm.reason, prm.rdata.wholeMsg)


class Account(pj.Account):
    """The agent's account."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.host = host

    def onIncomingCall(self, prm: pj.OnIncomingCallParam) -> None:  # noqa: N802
        _safely(self.host, self.host.incoming, self, prm.callId, prm.rdata.wholeMsg)

    def onRegState(self, prm: pj.OnRegStateParam) -> None:  # noqa: N802
        _safely(self.host, self.host.registration, prm.code, prm.reason, prm.expiration)


class Call(pj.Call):
    """One call. Whoever keeps it must let go of it in `Host.changed` when it is DISCONNECTED: freed later, it would
    hang up the call that has got its number since."""

    def __init__(self, account: Account, number: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(account, number)
        self.host = account.host

    def onCallState(self, prm: pj.OnCallStateParam) -> None:  # noqa: N802
        _safely(self.host, self._changed)

    def _changed(self) -> None:
        self.host.changed(self, self.getInfo())

    def onCallRedirected(self, prm: pj.OnCallRedirectedParam) -> int:  # noqa: N802
        return pj.PJSIP_REDIRECT_REJECT

    def onCallTransferRequest(self, prm: pj.OnCallTransferRequestParam) -> None:  # noqa: N802
        prm.statusCode = DECLINE

    def onCallReplaceRequest(self, prm: pj.OnCallReplaceRequestParam) -> None:  # noqa: N802
        prm.statusCode = DECLINE
