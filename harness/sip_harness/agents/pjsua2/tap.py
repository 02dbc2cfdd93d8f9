"""The exact bytes of every message, taken from inside the stack. Worker processes only.

A pjsip module in front of everything but the transport sees each message as it came in and as it goes out,
retransmissions and ACKs included. The structures are those of pjproject 2.15.1 on x86_64 as the wheel builds it;
`selftest.check` says whether they are those of the library at hand.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import POINTER, c_char, c_char_p, c_int, c_size_t, c_ssize_t, c_uint, c_uint32, c_void_p
from typing import Any

from sip_harness.agents.pjsua2.fence import Fence
from sip_harness.agents.pjsua2.library import Library, TimeVal
from sip_harness.agents.pjsua2.sink import Sink
from sip_harness.model.entry import Address
from sip_harness.model.guard import GuardRules

PACKET = 4000
"""PJSIP_MAX_PKT_LEN: what is longer is cut before anybody sees it."""
PRIORITY = 7
"""One before the transport layer (8): first to see what arrives, last to see what leaves."""
_MAX_SKIPPED = 256
_FORBIDDEN = 70013
"""PJ_EINVALIDOP: the library takes it for an error of the transport."""
_IGNORED = 70020
"""PJ_EIGNORED: line ends between messages, no datagram."""


class _Str(ctypes.Structure):
    _fields_ = (("ptr", c_char_p), ("slen", c_ssize_t))


class _OpKey(ctypes.Structure):
    _fields_ = (("internal", c_void_p * 32), ("as_data", c_void_p), ("owner", c_void_p))


class _SockAddr(ctypes.Structure):
    _fields_ = (("raw", c_uint32 * 7),)


class _RxTransport(ctypes.Structure):
    _fields_ = (
        ("pool", c_void_p), ("transport", c_void_p), ("data", c_void_p), ("key", _OpKey), ("rdata", c_void_p),
    )  # fmt: skip


class _RxPacket(ctypes.Structure):
    _fields_ = (
        ("timestamp", TimeVal), ("packet", c_char * PACKET), ("zero", c_uint32), ("len", c_ssize_t),
        ("source", _SockAddr), ("source_len", c_int), ("host", c_char * 46), ("port", c_int),
    )  # fmt: skip


class _RxData(ctypes.Structure):
    """pjsip_rx_data up to the packet."""

    _fields_ = (("tp", _RxTransport), ("pkt", _RxPacket))


class _Buffer(ctypes.Structure):
    _fields_ = (("start", c_void_p), ("cur", c_void_p), ("end", c_void_p))


class _Server(ctypes.Structure):
    _fields_ = (("type", c_int), ("priority", c_uint), ("weight", c_uint), ("addr", _SockAddr), ("addr_len", c_int))


class _Destination(ctypes.Structure):
    _fields_ = (("name", _Str), ("count", c_uint), ("servers", _Server * 16), ("current", c_uint))


class _TxTransport(ctypes.Structure):
    _fields_ = (
        ("transport", c_void_p), ("addr", _SockAddr), ("addr_len", c_int), ("host", c_char * 46), ("port", c_int),
    )  # fmt: skip


class _TxData(ctypes.Structure):
    """pjsip_tx_data up to where it goes."""

    _fields_ = (
        ("prev", c_void_p), ("next", c_void_p), ("pool", c_void_p), ("name", c_char * 32), ("info", c_void_p),
        ("rx_timestamp", TimeVal), ("manager", c_void_p), ("key", _OpKey), ("op_tdata", c_void_p),
        ("op_token", c_void_p), ("op_cb", c_void_p), ("lock", c_void_p), ("msg", c_void_p),
        ("saved_strict_route", c_void_p), ("buf", _Buffer), ("refs", c_void_p),
        ("is_pending", c_int), ("token", c_void_p), ("cb", c_void_p), ("dest", _Destination), ("tp", _TxTransport),
    )  # fmt: skip


class _Dropped(ctypes.Structure):
    """pjsip_tp_dropped_data."""

    _fields_ = (("transport", c_void_p), ("data", c_void_p), ("len", c_size_t), ("status", c_int))


_OnMessage = ctypes.CFUNCTYPE(c_int, c_void_p)
_OnDropped = ctypes.CFUNCTYPE(c_int, POINTER(_Dropped))


class _Module(ctypes.Structure):
    """pjsip_module."""

    _fields_ = (
        ("prev", c_void_p), ("next", c_void_p), ("name", _Str), ("id", c_int), ("priority", c_int),
        ("load", c_void_p), ("start", c_void_p), ("stop", c_void_p), ("unload", c_void_p),
        ("on_rx_request", _OnMessage), ("on_rx_response", _OnMessage),
        ("on_tx_request", _OnMessage), ("on_tx_response", _OnMessage), ("on_tsx_state", c_void_p),
    )  # fmt: skip


class TapFailed(RuntimeError):
    """The library does not take the tap."""


class Tap:
    """Hands every message to the sink as long as the Endpoint lives. Made after libInit, and to be kept until
    libDestroy has returned: the library has the addresses of what is in here."""

    def __init__(self, library: Library, sink: Sink, fence: Fence | None = None) -> None:
        """With a fence only what it allows leaves."""
        self._sink = sink
        self._fence = fence
        self._lib = library.lib
        self._endpoint = c_void_p(library.endpoint)
        self._lib.pjsip_endpt_get_tpmgr.restype = c_void_p
        # ctypes frees a callback that nobody refers to, also while C still has its address.
        rx, tx = _OnMessage(self._guarded(self._rx)), _OnMessage(self._leave)
        self._callbacks = (rx, tx, _OnDropped(self._guarded(self._drop)))
        self._module = _Module(name=_Str(b"tap", 3), id=-1, priority=PRIORITY)
        self._module.on_rx_request = self._module.on_rx_response = rx
        self._module.on_tx_request = self._module.on_tx_response = tx
        status = self._lib.pjsip_endpt_register_module(self._endpoint, ctypes.byref(self._module))
        if status:
            raise TapFailed(f"the library refuses a module of ours (status {status})")
        manager = c_void_p(self._lib.pjsip_endpt_get_tpmgr(self._endpoint))
        self._lib.pjsip_tpmgr_set_drop_data_cb(manager, self._callbacks[2])

    def _guarded(self, take: Callable[[Any], None]) -> Callable[[Any], int]:
        def guarded(argument: Any) -> int:
            try:
                take(argument)
            except Exception as error:  # noqa: BLE001 - an exception must not pass through C
                self._sink.broke(error)
            return 0

        return guarded

    def _rx(self, address: int) -> None:
        packet = _RxData.from_address(address).pkt
        data, remote = _packet(packet), _source(packet)
        if self._fence is not None:
            self._fence.heard(data, remote[0])
        self._sink.received(data, remote)

    def _leave(self, address: int) -> int:
        """Whether a message may leave: what the fence could not look at may not."""
        try:
            return self._tx(address)
        except Exception as error:  # noqa: BLE001 - an exception must not pass through C
            self._sink.broke(error)
            return _FORBIDDEN if self._fence is not None else 0

    def _tx(self, address: int) -> int:
        tdata = _TxData.from_address(address)
        data = ctypes.string_at(tdata.buf.start, tdata.buf.cur - tdata.buf.start)
        host = tdata.tp.host.decode("ascii")
        if self._fence is not None and (why := self._fence.refusal(data, host)):
            self._sink.stopped(why)
            return _FORBIDDEN
        self._sink.sent(data, (host, tdata.tp.port))
        return 0

    def _drop(self, pointer: Any) -> None:
        dropped = pointer.contents
        if dropped.status == _IGNORED:
            return
        packet = _around(dropped.data, dropped.transport)
        data = ctypes.string_at(dropped.data, dropped.len) if packet is None else _packet(packet)
        remote = ("", 0) if packet is None else _source(packet)
        self._sink.dropped(data, remote, self._reason(dropped.status))

    def _reason(self, status: int) -> str:
        text = ctypes.create_string_buffer(256)
        self._lib.pj_strerror(status, text, ctypes.c_size_t(len(text)))
        return text.value.decode("utf-8", "replace")


def _packet(packet: Any) -> bytes:
    return ctypes.string_at(ctypes.addressof(packet) + _RxPacket.packet.offset, packet.len)


def _source(packet: Any) -> Address:
    return packet.host.decode("ascii"), packet.port


def _around(data: int, transport: int) -> Any:
    """The packet that holds these bytes: the callback for dropped data does not say where they came from.

    They stand at the beginning of the packet, or behind the line ends that were skipped there.
    """
    offset = _RxData.pkt.offset + _RxPacket.packet.offset
    for skipped in range(_MAX_SKIPPED):
        if skipped and ctypes.string_at(data - skipped, 1) not in b"\r\n":
            return None
        candidate = _RxData.from_address(data - skipped - offset)
        if candidate.tp.transport == transport:
            return candidate.pkt
    return None


class TapTracing:
    """Tracing by the tap."""

    def __init__(
        self, library: Library, rules: GuardRules | None = None, system: Address = ("", 0), own: tuple[str, ...] = ()
    ) -> None:
        """`rules`: what may leave, and `system` where everything goes that names another host; None: no guard.

        `own` are our own hosts, which our messages may name.
        """
        self._library = library
        self._rules = rules
        self._system = system
        self._own = own
        self._fence: Fence | None = None
        self._tap: Tap | None = None

    def configure(self, config: object) -> None:
        """Before libInit: nothing to do."""

    def attach(self, sink: Sink) -> None:
        """Between libInit and libStart."""
        if self._rules is not None:
            self._fence = Fence(self._library, self._rules, self._system, sink.broke, self._own)
        self._tap = Tap(self._library, sink, self._fence)

    def detach(self) -> None:
        """After libDestroy."""
        self._tap = self._fence = None
