"""Devices whose connection goes while they are called (RFC 3261 16.9, 18.1.1, 18.2.2, 18.4).

What a device has not said yet it may say on a connection of its own, so that a lost one by itself ends nothing. Whoever
cannot be reached any more has failed like one that said 503, and that at once.
"""

from __future__ import annotations

from sip_harness.endpoint.client import Client
from sip_harness.endpoint.layer import Layer
from sip_harness.model.entry import Address
from sip_harness.net.base import SendFailed
from sip_harness.net.stream import StreamTransport
from sip_harness.sip.framing import KeepAlive
from sip_harness.sip.transaction_tables import State


class Lost:
    """Told of every connection of one transport that has gone."""

    def __init__(self, layer: Layer, transport: StreamTransport, faults: frozenset[str]) -> None:
        self._layer = layer
        self._transport = transport
        self._faults = faults

    def cut(self, remote: Address) -> None:
        """The connection with that peer has gone: see whether it can still be reached, if it has something to say."""
        if "ignores-lost-connections" in self._faults:
            return
        for client in [c for c in self._layer.clients.values() if self._waits(c, remote)]:
            if "gives-up-with-the-connection" in self._faults:
                client.give_up("transport")
            else:
                self._knock(client, remote)

    def _waits(self, client: Client, remote: Address) -> bool:
        """Whether it is a call that the peer has got and not yet finally answered. What it has not got is lost with a
        word of the transport, other requests are not waited for long."""
        here = client.hop.transport is self._transport and client.hop.remote == remote
        return here and client.request.method == "INVITE" and client.transaction.state is State.PROCEEDING

    def _knock(self, client: Client, remote: Address) -> None:
        """With a keep-alive, on a new connection, on which a CANCEL could go as well."""

        def on_lost(_why: str) -> None:
            if client.transaction.state is State.PROCEEDING:
                client.give_up("transport")

        try:
            self._transport.send(KeepAlive.PING.value, remote, "protocol", on_lost=on_lost)
        except SendFailed as error:
            on_lost(str(error))
