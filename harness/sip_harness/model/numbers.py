"""What a URI dials, and which numbers call for help however they are dressed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

from sip_harness.sip.errors import SipError
from sip_harness.sip.uri import OtherUri, read_uri

_OUTSIDE = ("", "0", "00", "9", "+")
"""What may stand before a number: the digit for an outside line, or a mark that somebody took for one."""
_COUNTRY = re.compile(r"(?:\+|00|011)[1-9][0-9]{0,2}")
"""A country code, as systems put it before whatever they are given: +1911 has called for help."""
_FEATURES = (re.compile(r"[*#]+[0-9]{2}[*#]*"), re.compile(r"[*#]+[0-9]{3}[*#]*"))
"""Codes that are dialled before a number, as *67 or *31# which withhold one's own."""
_SEPARATORS = re.compile(r"[-.()\s]")
_DIGITS = re.compile(r"\+?[0-9*#]+")
_BEHIND = re.compile(r"[;,&pPwW]")
"""What may stand behind a number: parameters, pauses and tones."""
_USER = re.compile(r"(?:sips?|tel):([^@;>?\s]*)", re.IGNORECASE)
_SOS = re.compile(r"(?:sips?:)?(?:urn:)?service:sos(?:\.[^@]*)?(?:@.*)?|sips?:sos(?:\.[^@]*)?@.*", re.IGNORECASE)


def is_service(uri: str) -> bool:
    """Whether it is urn:service:sos (RFC 5031), by itself or as a user, or the user `sos` that was there before it."""
    plain = unquote(uri)
    bare = plain[4:] if plain[:4].lower() == "urn:" else plain
    return _SOS.fullmatch(bare) is not None


def number_of(uri: str) -> str:
    """What a URI dials: digits, `+`, `*` and `#`; empty if it dials no number."""
    try:
        read = read_uri(uri)
    except SipError:
        found = _USER.match(uri)
        text = found[1] if found else ""
    else:
        text = read.rest if isinstance(read, OtherUri) and read.scheme == "tel" else getattr(read, "user", "")
    plain = _SEPARATORS.sub("", unquote(text))
    number = _BEHIND.split(plain[4:] if plain[:4].lower() == "tel:" else plain, maxsplit=1)[0]
    return number if _DIGITS.fullmatch(number) else ""


def is_one_of(number: str, emergency: tuple[str, ...]) -> bool:
    """Whether it calls one of these, also from behind an outside line, a country code or a feature code."""
    return any(_is_plainly(form, one) for form in _forms(number) for one in emergency)


def begins_with(number: str, prefixes: tuple[str, ...]) -> bool:
    """Whether it begins so, also from behind an outside line or a feature code."""
    return any(
        form.startswith(f"{line}{one}") for form in _forms(number) for line in ("", "0", "9") for one in prefixes
    )


def _is_plainly(number: str, one: str) -> bool:
    if not number.endswith(one):
        return False
    before = number[: len(number) - len(one)]
    return before in _OUTSIDE or _COUNTRY.fullmatch(before) is not None


def _forms(number: str) -> Iterator[str]:
    """The number without the # that ends dialling, and without codes before it."""
    plain = number.rstrip("#") or number
    yield plain
    for feature in _FEATURES:
        if found := feature.match(plain):
            yield plain[found.end() :]
