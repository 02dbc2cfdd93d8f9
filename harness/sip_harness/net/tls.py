"""TLS 1.2 and 1.3 by Python's ssl, on bytes instead of sockets, so that the record keeps the kernel's receive times.

Certificates are always verified where we connect (chain, and the host name or address among the subject alternative
names, RFC 5922 7.2, RFC 6125); of whoever connects to us none is asked for.
"""

from __future__ import annotations

import os
import ssl
from contextlib import suppress
from dataclasses import dataclass

from sip_harness.net.authority import self_signed
from sip_harness.net.codec import Broken

_CHUNK = 65_536
_HEAD = 5


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Whom we believe and what we show, both files in PEM."""

    trust: str = ""
    """Certificate authorities; empty: those of the machine."""
    certificate: str = ""
    """Certificate, its chain and its key; empty: a self-signed one that nobody else knows."""
    name: str = ""
    """Name that the certificate of the other side must have; empty: the address that we connect to."""


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """For connections of ours. Raises OSError if a file cannot be read (ssl.SSLError if it holds no certificate)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.trust:
        context.load_verify_locations(files.trust)
    else:
        context.load_default_certs()
    if files.certificate:
        context.load_cert_chain(files.certificate)
    return context


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """For connections to us. Raises OSError as `client_context`, and where no certificate can be made."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.certificate:
        context.load_cert_chain(files.certificate)
        return context
    descriptor = os.memfd_create("certificate")  # ssl reads files only, and a key should not lie on any disk
    try:
        os.write(descriptor, self_signed())
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
    return context


class Records:
    """Follows the borders between TLS records (RFC 8446 5.1): five bytes, of which two tell the length of the rest."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0

    @property
    def complete(self) -> bool:
        """Whether the bytes so far end with a record."""
        return not self._head and not self._left

    def feed(self, data: bytes) -> None:
        """Go on."""
        at = 0
        while at < len(data):
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
            else:
                step = min(_HEAD - len(self._head), len(data) - at)
                self._head += data[at : at + step]
                if len(self._head) == _HEAD:
                    self._left = int.from_bytes(self._head[3:], "big")
                    self._head = b""
            at += step


class Tls:
    """One end of one TLS connection."""

    def __init__(self, context: ssl.SSLContext, *, server: bool, name: str = "") -> None:
        """`name` is the host name (then sent as SNI) or address that a server's certificate must have."""
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._in, self._out, server_side=server, server_hostname=name or None)
        self._records = Records()
        self.ready = False
        """Whether the handshake is done."""
        self.over = False
        """Whether the peer has said that it will send no more."""
        if not server:
            self._shake()

    @property
    def whole(self) -> bool:
        """Whether the bytes fed last ended with the end of a TLS record."""
        return self._records.complete

    def feed(self, data: bytes) -> bytes:
        """What the other side has said with these bytes. Raises Broken."""
        self._in.write(data)
        self._records.feed(data)
        if not self.ready and not self._shake(data):
            return b""
        said = bytearray()
        try:
            while piece := self._object.read(_CHUNK):
                said += piece
            self.over = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.over = True
        except ssl.SSLError as error:
            raise Broken(f"TLS: {reason(error)}", data) from error
        return bytes(said)

    def seal(self, data: bytes) -> bytes:
        """The bytes that carry this, with whatever else has to be sent before them. Raises Broken."""
        try:
            if data:
                self._object.write(data)
        except ssl.SSLError as error:
            raise Broken(f"TLS: {reason(error)}") from error
        return self._out.read()

    def end(self) -> bytes:
        """A regular end (close_notify)."""
        with suppress(ssl.SSLError, ValueError):  # the peer has not said the same yet, or there never was a session
            self._object.unwrap()
        return self._out.read()

    def outgoing(self) -> bytes:
        """What has to be sent besides."""
        return self._out.read()

    def _shake(self, data: bytes = b"") -> bool:
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            raise Broken(f"TLS handshake: {reason(error)}", data) from error
        self.ready = True
        return True


def reason(error: ssl.SSLError) -> str:
    """What went wrong, without the library's own decoration."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    return (error.reason or str(error)).lower().replace("_", " ")
