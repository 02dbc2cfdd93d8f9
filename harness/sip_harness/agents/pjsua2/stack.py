"""One life of the library: an Endpoint with one UDP transport and one account, made for a lease and destroyed after.

Worker processes only.
"""

from __future__ import annotations

import gc
from typing import Protocol

import pjsua2 as pj  # noqa: TID251 - this runs in a worker process

from sip_harness.agents.base import Assignment
from sip_harness.agents.pjsua2.directors import Account, Endpoint, Host
from sip_harness.agents.pjsua2.sink import Sink
from sip_harness.agents.pjsua2.stamps import udp_fd
from sip_harness.model.entry import Address

LOOPBACK = "127.0.0.1"
KEEPALIVE = 25
"""Seconds between two keep-alives towards an external system, which keep the way through a NAT open."""
MAX_CALLS = 4
"""PJSUA_MAX_CALLS of the wheel; a higher figure is cut silently."""


class Tracing(Protocol):
    """A way to see the messages of an Endpoint."""

    def configure(self, config: pj.EpConfig) -> None:
        """Before libInit."""

    def attach(self, sink: Sink) -> None:
        """Between libInit and libStart."""

    def detach(self) -> None:
        """After libDestroy."""


class Stack:
    """An Endpoint on a UDP port of its own. `close` it before the next one is made."""

    def __init__(self, host: Host, tracing: Tracing, bind: str = LOOPBACK, advertise: str = "") -> None:
        """`bind` is the local IP address, `advertise` the host that Via states instead of it."""
        self._tracing = tracing
        self.endpoint = Endpoint(host)
        self.endpoint.libCreate()
        config = _endpoint_config()
        tracing.configure(config)
        self.endpoint.libInit(config)
        self._transport = self.endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, _transport_config(bind, advertise))
        name = self.endpoint.transportGetInfo(self._transport).localName
        self.local: Address = (bind, int(name.rpartition(":")[2]))
        self.fd = udp_fd(self.local[1])
        self.account: Account | None = None

    def start(self, sink: Sink) -> None:
        """Begin to receive; every message goes to the sink."""
        self._tracing.attach(sink)
        self.endpoint.libStart()
        self.endpoint.audDevManager().setNoDev()

    def add_account(self, host: Host, assignment: Assignment) -> Account:
        """Take the agent's place; registers at once if that is assigned. Raises pj.Error."""
        self.account = Account(host)
        self.account.create(account_config(assignment, self.local, self._transport))
        return self.account

    def move(self, assignment: Assignment, seen: Address) -> None:
        """State this address from now on, because it is where the system sees us; a registration is taken back and made
        anew. Raises pj.Error."""
        if self.account is not None:
            self.account.modify(account_config(assignment, self.local, self._transport, seen))

    def poll(self) -> None:
        """Handle what is due and what has arrived, without waiting."""
        self.endpoint.libHandleEvents(0)

    def close(self) -> None:
        """Destroy everything. No Call object may be alive any more."""
        if self.account is not None:
            self.account.shutdown()
            # Freed after the next account is there, this object would delete that one.
            self.account = None
        gc.collect()
        self.endpoint.libDestroy(pj.PJSUA_DESTROY_NO_RX_MSG)
        # Not before: destroying may still send.
        self._tracing.detach()
        del self.endpoint
        gc.collect()


def _endpoint_config() -> pj.EpConfig:
    config = pj.EpConfig()
    config.uaConfig.threadCnt = 0
    # There is one thread only; told so, the library would write its log later, when times are lost.
    config.uaConfig.mainThreadOnly = False
    config.uaConfig.maxCalls = MAX_CALLS
    config.uaConfig.natTypeInSdp = 0
    config.uaConfig.mwiUnsolicitedEnabled = False
    config.medConfig.threadCnt = 0
    config.logConfig.level = config.logConfig.consoleLevel = 0
    config.logConfig.msgLogging = 0
    return config


def _transport_config(bind: str, advertise: str) -> pj.TransportConfig:
    config = pj.TransportConfig()
    config.publicAddress = advertise
    config.boundAddress = bind  # the default is every interface
    config.port = 0
    return config


def account_config(
    assignment: Assignment, local: Address, transport: int, seen: Address | None = None
) -> pj.AccountConfig:
    """An account that adds nothing by itself that can be switched off; `seen`: where it is to be reached, if that is
    not where it is."""
    user = assignment.user
    config = pj.AccountConfig()
    config.idUri = f"<{user.aor}>"
    config.sipConfig.transportId = transport
    stated, port = seen or (assignment.advertise or local[0], local[1])
    config.sipConfig.contactForced = f"<sip:{assignment.contact}@{stated}:{port}>"
    # `hide`: the next hop, without a Route header on the wire.
    config.sipConfig.proxies.append(f"<sip:{assignment.system[0]}:{assignment.system[1]};lr;hide>")
    if user.password:
        config.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", user.auth or user.name, 0, user.password))
    if assignment.register:
        config.regConfig.registrarUri = f"sip:{user.domain}"
        config.regConfig.timeoutSec = assignment.expires
        if assignment.preference is not None:
            config.regConfig.contactParams = f";q={assignment.preference:.3g}"
        config.regConfig.retryIntervalSec = config.regConfig.firstRetryIntervalSec = 0
    _keep_quiet(config)
    config.mediaConfig.transportConfig.boundAddress = stated  # no socket is bound to it: it is what SDP says
    config.natConfig.udpKaIntervalSec = KEEPALIVE if assignment.guard is not None else 0
    return config


def _keep_quiet(config: pj.AccountConfig) -> None:
    nat, media = config.natConfig, config.mediaConfig
    nat.contactRewriteUse = nat.viaRewriteUse = nat.sdpNatRewriteUse = nat.sipOutboundUse = 0
    config.callConfig.timerUse = pj.PJSUA_SIP_TIMER_INACTIVE
    config.callConfig.prackUse = pj.PJSUA_100REL_NOT_USED
    media.useLoopMedTp = True  # real media sockets abort the process at some 60 INVITEs per second
    media.lockCodecEnabled = False
    media.streamKaEnabled = False
