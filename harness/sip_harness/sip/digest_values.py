"""The values of digest authentication as they stand in headers: read without guessing, and written so that they can be
read (RFC 7616 3.3 to 3.5, RFC 3261 25.1).

They come from the network: they are bounded, hold no control characters, and whatever is wrong with them raises
SipError and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from sip_harness.sip.errors import SipError

MAX_CHALLENGE = 8192
"""Characters of a challenge beyond which it is not read."""
_SCHEME = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:[ \t]+|$)")
_PARAM = re.compile(
    r"""[ \t,]*([-.!%*_+`'~0-9A-Za-z]+)[ \t]*=[ \t]*
    (?: "( (?: [^"\\] | \\. )*+ )" | ([^\s",;]+) )
    [ \t]*(,|$)""",
    re.VERBOSE,
)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def read_params(value: str, kept: Collection[str]) -> dict[str, str]:
    """The parameters of a Digest value that are to be kept, by lower-case name. Raises SipError."""
    if len(value) > MAX_CHALLENGE:
        raise SipError(f"challenge of {len(value)} characters: longer than {MAX_CHALLENGE}")
    octets(value)
    if _CONTROL.search(value):
        raise SipError("control character in a challenge")
    scheme = _SCHEME.match(value)
    if not scheme or scheme[1].lower() != "digest":
        raise SipError(f"not a Digest challenge: {shown(value)}")
    params: dict[str, str] = {}
    at = scheme.end()
    while at < len(value.rstrip()):
        found = _PARAM.match(value, at)
        if not found:
            raise SipError(f"challenge cannot be read at {shown(value[at:])}")
        name = found[1].lower()
        if name in params:
            raise SipError(f"{shown(name)} stands twice in a challenge")
        params[name] = found[3] if found[2] is None else re.sub(r"\\(.)", r"\1", found[2])
        at = found.end()
    return {name: text for name, text in params.items() if name in kept}


def quotable(text: str) -> str:
    """What stands between the quotes: that is also what is hashed, escapes and all (`unq` in RFC 7616 3.4)."""
    octets(text)
    if _CONTROL.search(text):
        raise SipError(f"control character in {shown(text)}")
    return re.sub(r'(["\\])', r"\\\1", text)


def octets(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise SipError(f"cannot be sent as UTF-8: {shown(text)}") from None


def shown(text: str) -> str:
    return ascii(text if len(text) <= 60 else text[:60] + "...")
