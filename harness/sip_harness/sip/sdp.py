"""Session descriptions: read them without loss, make an audio offer, answer any offer (RFC 8866, RFC 3264)."""

from __future__ import annotations

import ipaddress
import re

from sip_harness.sip.errors import SipError
from sip_harness.sip.sdp_lines import DIRECTIONS, Line, Media, Sdp, parse

__all__ = ["CODECS", "DIRECTIONS", "EVENTS", "Line", "Media", "Sdp", "acceptable", "answer", "offer", "parse"]

CODECS = ("PCMU/8000", "PCMA/8000")
EVENTS = "telephone-event/8000"
_EVENTS_TYPE = 101
_TEXT = re.compile(r"[A-Za-z0-9._-]{1,255}")
_TIMES = re.compile(r"[0-9]{1,20} [0-9]{1,20}")


def offer(host: str, port: int, *, direction: str = "sendrecv", session_id: int, version: int = 1) -> bytes:
    """An offer of one audio stream: PCMU, PCMA and telephone-event (RFC 3264 5, RFC 4733).

    `session_id` and `version` stand in o=; a changed offer of the same session counts `version` up by one (RFC 3264 8).
    Raises SipError if an argument cannot stand in SDP.
    """
    formats = {"0": "PCMU/8000", "8": "PCMA/8000", str(_EVENTS_TYPE): EVENTS}
    head = _head(host, session_id, version, "0 0")
    return _join([*head, *_audio(port, "RTP/AVP", formats, direction)])


def answer(
    offer: bytes, host: str, port: int, *, direction: str = "sendrecv", session_id: int, version: int = 1
) -> bytes:
    """An answer to an offer, line by line (RFC 3264 6).

    The first audio stream over plain RTP with a codec that we know is accepted, with the codecs in common under the
    offer's payload types and in its order; all others get port 0. So nothing may be accepted: then every port is 0,
    and whoever would rather send 488 asks `acceptable`. `direction` is what we would like; the answer asks for no more
    than the offer allows. Raises SipError if the offer cannot be read or an argument cannot stand in SDP.
    """
    offered = parse(offer)
    times = (offered.value("t") or "").strip()
    lines = _head(host, session_id, version, times if _TIMES.fullmatch(times) else "0 0")
    chosen = next((m for m in offered.media if _common(m)), None)
    for media in offered.media:
        if media is chosen:
            allowed = _allowed(media, _checked(direction))
            lines += _audio(port, media.protocol, _common(media), allowed)
        else:
            lines.append(f"m={media.kind} 0 {media.protocol} {' '.join(media.formats)}")
    return _join(lines)


def acceptable(offer: bytes) -> bool:
    """Whether `answer` would accept a stream of this offer. Raises SipError if the offer cannot be read."""
    return any(_common(media) for media in parse(offer).media)


def _common(media: Media) -> dict[str, str]:
    """Format and codec of what the offer and we have in common; empty if no stream can come of it."""
    if media.kind != "audio" or media.port == 0 or media.protocol.upper() != "RTP/AVP":
        return {}
    known = {codec.upper() for codec in (*CODECS, EVENTS)}
    common = {f: codec for f, codec in media.codecs.items() if codec.upper() in known}
    return common if any(codec.upper() in CODECS for codec in common.values()) else {}


def _allowed(media: Media, wanted: str) -> str:
    """What is left of the wanted direction when the other side's is taken into account (RFC 3264 6.1, 8.4)."""
    hears = media.direction in ("sendrecv", "recvonly") and media.host != "0.0.0.0"  # noqa: S104 - the old way to hold
    send = hears and wanted in ("sendrecv", "sendonly")
    receive = media.direction in ("sendrecv", "sendonly") and wanted in ("sendrecv", "recvonly")
    return {(True, True): "sendrecv", (True, False): "sendonly", (False, True): "recvonly"}.get(
        (send, receive), "inactive"
    )


def _head(host: str, session_id: int, version: int, times: str) -> list[str]:
    if not (0 <= session_id < 2**63 and 0 <= version < 2**63):
        raise SipError(f"session id {session_id} and version {version} have to be within 0 to 2**63-1")
    address = _address(host)
    return ["v=0", f"o=- {session_id} {version} {address}", "s=-", f"c={address}", f"t={times}"]


def _audio(port: int, protocol: str, formats: dict[str, str], direction: str) -> list[str]:
    if not 0 <= port <= 65_535:
        raise SipError(f"not a port: {port}")
    lines = [f"m=audio {port} {protocol} {' '.join(formats)}"]
    lines += [f"a=rtpmap:{number} {codec}" for number, codec in formats.items()]
    lines += [f"a=fmtp:{number} 0-15" for number, codec in formats.items() if codec.lower() == EVENTS]
    return [*lines, f"a={_checked(direction)}"]


def _address(host: str) -> str:
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        return f"IN IP{ipaddress.ip_address(bare).version} {bare}"
    except ValueError:
        if not _TEXT.fullmatch(host):
            raise SipError(f"not a host: {host[:80]!r}") from None
        return f"IN IP4 {host}"


def _checked(direction: str) -> str:
    if direction not in DIRECTIONS:
        raise SipError(f"not a direction: {direction[:80]!r}; one of {', '.join(DIRECTIONS)}")
    return direction


def _join(lines: list[str]) -> bytes:
    return "\r\n".join([*lines, ""]).encode("ascii")
