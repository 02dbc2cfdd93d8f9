"""The guard inside the stack: what may not leave is refused, and no name is ever looked up. Worker processes only.

The tap asks `Fence.refusal` for every message. A resolver of ours stands in for the library's: requests within a call
go to the system, whatever host their Contact or Route names, so that ACK and BYE leave no call behind.
"""

from __future__ import annotations

import ctypes
import ipaddress
import socket
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from ctypes import c_int, c_uint, c_void_p

from sip_harness.agents.pjsua2.library import Library
from sip_harness.model.entry import Address
from sip_harness.model.gate import Gate
from sip_harness.model.guard import GuardRules
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import parse

_UDP = 1
"""PJSIP_TRANSPORT_UDP."""
_DEFAULT_PORT = 5060
_MAX_HOST = 255


class _Host(ctypes.Structure):
    """pjsip_host_info."""

    _fields_ = (("flag", c_uint), ("type", c_int), ("host", c_void_p), ("length", ctypes.c_ssize_t), ("port", c_int))


class _Server(ctypes.Structure):
    _fields_ = (("type", c_int), ("priority", c_uint), ("weight", c_uint), ("addr", c_uint * 7), ("addr_len", c_int))


class _Servers(ctypes.Structure):
    """pjsip_server_addresses."""

    _fields_ = (("count", c_uint), ("entry", _Server * 16))


_Found = ctypes.CFUNCTYPE(None, c_int, c_void_p, c_void_p)
_Resolve = ctypes.CFUNCTYPE(None, c_void_p, c_void_p, ctypes.POINTER(_Host), c_void_p, c_void_p)


class _Resolver(ctypes.Structure):
    """pjsip_ext_resolver."""

    _fields_ = (("resolve", _Resolve),)


class Fence:
    """One lease's guard. To be kept until libDestroy has returned."""

    def __init__(
        self,
        library: Library,
        rules: GuardRules,
        system: Address,
        on_error: Callable[[Exception], None],
        own: Iterable[str] = (),
    ) -> None:
        """Made after libInit; `own` are our hosts, which our messages may name.

        From now on every name and address leads to the system or to another host that it may contact. Raises OSError if
        the library does not take our resolver.
        """
        self._gate = Gate(rules, set(own))
        self._system = system
        self._on_error = on_error
        self._resolver = _Resolver(_Resolve(self._resolve))
        status = library.lib.pjsip_endpt_set_ext_resolver(c_void_p(library.endpoint), ctypes.byref(self._resolver))
        if status:
            raise OSError(f"the library refuses a resolver of ours (status {status})")

    def refusal(self, data: bytes, host: str) -> str:
        """Why this message may not leave for that address; empty if it may."""
        return self._gate.refusal(data, host)

    def heard(self, data: bytes, host: str) -> None:
        """A message has come from this address: what the system names in a call may be named there."""
        with suppress(SipError):
            self._gate.heard(parse(data), host)

    def _resolve(self, _resolver: int, _pool: int, target: ctypes._Pointer[_Host], token: int, found: int) -> None:
        servers = _Servers(count=1)
        try:
            host = target.contents
            name = ctypes.string_at(host.host, min(max(host.length, 0), _MAX_HOST)).decode("ascii", "replace")
            self._fill(servers.entry[0], self._way(name, host.port))
        except Exception as error:  # noqa: BLE001 - an exception must not pass through C
            self._on_error(error)
            self._fill(servers.entry[0], self._system)
        _Found(found)(0, token, ctypes.addressof(servers))

    def _way(self, name: str, port: int) -> Address:
        """Where a request for this host goes."""
        try:
            host = str(ipaddress.IPv4Address(name))
        except ValueError:
            return self._system
        return (host, port or _DEFAULT_PORT) if self._gate.may_contact(host) else self._system

    def _fill(self, server: _Server, address: Address) -> None:
        packed = struct.pack("=H", socket.AF_INET) + struct.pack("!H", address[1]) + socket.inet_aton(address[0])
        server.type, server.addr_len = _UDP, 16
        ctypes.memmove(ctypes.addressof(server) + _Server.addr.offset, packed.ljust(16, b"\0"), 16)
