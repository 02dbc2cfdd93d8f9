"""What a session description asks for, without whom and where: hold, a fax, other codecs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sip_harness.capture.wording import names_somebody
from sip_harness.sip.errors import SipError
from sip_harness.sip.sdp import Media, Sdp, parse

_HOLD = "0.0.0.0"  # noqa: S104 - the old way to hold (RFC 3264 8.4)
_ATTRIBUTE = re.compile(r"(?:rtpmap|fmtp|ptime|maxptime|T38[A-Za-z]*|rtcp-mux|setup|connection)(?::[ -~]{0,120})?")
"""Attributes that say how, not who: a key, a fingerprint or a candidate stays in the capture."""
_MOST = 8
"""Streams that are described."""


def description(body: bytes) -> str:
    """The description of a session that a stack of ours can send in place of this one: the same streams, formats and
    directions, at an address that is nobody's. Empty for one that cannot be read, or that would name somebody."""
    sdp = _read(body)
    if sdp is None or any(map(names_somebody, (w for m in sdp.media for w in (m.kind, m.protocol, *m.formats)))):
        return ""
    lines = ["v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0"]
    for media in sdp.media[:_MOST]:
        lines += _lines(media)
    return "\r\n".join([*lines, ""])


def goes_on(body: bytes, before: Sequence[bytes] = ()) -> bool:
    """Whether it is what a stack offers by itself: the same as its sender has said `before`, or plain audio where that
    is not known, with nothing held. So is one that cannot be read."""
    sdp = _read(body)
    if sdp is None:
        return True
    known = [_streams(one) for one in map(_read, before) if one is not None]
    same = _streams(sdp) in known if known else all(map(_is_plain, sdp.media))
    return same and all(map(_flows, sdp.media))


def _read(body: bytes) -> Sdp | None:
    try:
        return parse(body)
    except SipError:
        return None


def _streams(sdp: Sdp) -> list[tuple[object, ...]]:
    return [(m.kind, m.protocol, m.formats, m.port == 0) for m in sdp.media]


def _is_plain(media: Media) -> bool:
    return (media.kind, media.protocol) == ("audio", "RTP/AVP") and media.port > 0


def _flows(media: Media) -> bool:
    return media.direction == "sendrecv" and media.host != _HOLD


def _lines(media: Media) -> list[str]:
    port = 9 if media.port else 0
    lines = [f"m={media.kind} {port} {media.protocol} {' '.join(media.formats[:20])}"]
    if media.host == _HOLD:
        lines.append(f"c=IN IP4 {_HOLD}")
    lines += [f"a={line.value}" for line in media.lines if line.type == "a" and _ATTRIBUTE.fullmatch(line.value)][:40]
    return [*lines, f"a={media.direction}"] if media.kind in ("audio", "video") else lines
