"""Opens the transport of a user agent, whichever it is."""

from __future__ import annotations

from sip_harness.model.entry import Address
from sip_harness.model.scenario import Transport as TransportName
from sip_harness.net.base import Guard, Receiver, Recorder, Vet
from sip_harness.net.clock import Clock
from sip_harness.net.stream import StreamTransport
from sip_harness.net.tls import TlsFiles
from sip_harness.net.udp import UdpSocket


def open_transport(
    kind: TransportName,
    clock: Clock,
    bind: Address,
    *,
    agent: str,
    record: Recorder,
    receive: Receiver,
    guard: Guard | None = None,
    vet: Vet | None = None,
    tls: TlsFiles | None = None,
) -> UdpSocket | StreamTransport:
    """Bind and listen; port 0 takes a free one. Raises OSError with what keeps it from opening."""
    if kind == "udp":
        return UdpSocket(clock, bind, agent=agent, record=record, receive=receive, guard=guard, vet=vet)
    return StreamTransport(
        clock, bind, kind, agent=agent, record=record, receive=receive, guard=guard, vet=vet, tls=tls
    )
