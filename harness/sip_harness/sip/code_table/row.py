"""What the table says about one response code."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, replace
from typing import Literal

from sip_harness.sip.errors import SipError

Failover = Literal["yes", "no", "depends", "n/a"]
Origin = Literal["iana", "deprecated", "obsolete", "vendor", "test", "unknown"]
Ends = Literal["transaction", "usage", "dialog"]

_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Code:
    """One response code, or one named variant of it, as the registries and the field know it."""

    code: int
    """Status code, 100 to 699."""
    phrase: str
    """Reason phrase of the registry; for a variant the phrase it is known by. Free text on the wire (RFC 3261 7.2)."""
    name: str
    """Word for it in scenarios, kebab-case and unique; the number itself for a code that is in no list."""
    rfc: str
    """Where it is defined, with sections."""
    methods: str
    """Requests that it usually answers."""
    meaning: str
    """What it tells or does to the caller."""
    origin: Origin = "iana"
    """`iana`, `deprecated` (registered as such), `obsolete` (dropped by RFC 3261), `vendor` (a variant from the field),
    `test` (made up to probe a receiver), `unknown` (in no list)."""
    must: tuple[str, ...] = ()
    """Headers that have to come with it, in words, with the condition where there is one."""
    should: tuple[str, ...] = ()
    """Headers that ought to come with it."""
    may: tuple[str, ...] = ()
    """Headers that often come with it."""
    adds: tuple[tuple[str, str], ...] = ()
    """Templates of the headers that the harness adds where the author gave none: `{host}` is the responder's host and
    port, `{name}` its host alone, `{nonce}` a fresh nonce."""
    body_type: str = ""
    """Content type of a body that has to come with it; empty if none has to. SDP is not meant here."""
    body: str = ""
    """A valid body of that type."""
    q850: str = ""
    """Q.850 cause that an ISUP gateway signals for it (RFC 3398 8.2.6.1); empty where none is laid down: 31 then."""
    ends: Ends = "transaction"
    """What it ends when it answers a request inside a dialog (RFC 5057 5.1)."""
    proxy: str = ""
    """What a forking proxy does with it beyond the rule of its class."""
    failover: Failover = "n/a"
    """Whether a gateway usually tries the next carrier after it."""
    failover_note: str = ""
    """Why, or on what it depends."""
    quirks: str = ""
    """What is seen in the field."""
    variants: tuple[Code, ...] = ()
    """Named variants: same code, own phrase and headers."""

    @property
    def family(self) -> str:
        """Its class as people write it: `4xx`."""
        return f"{self.code // 100}xx"

    def default_headers(self, host: str) -> tuple[tuple[str, str], ...]:
        """The headers of `adds`, filled in for a responder at `host` (`127.0.0.1`, `[::1]:5060`, `pbx.example`).

        Every nonce is drawn anew; all other values are constants, none of them secret. Raises SipError if `host` is
        no host with an optional port.
        """
        if not _HOST.fullmatch(host):
            raise SipError(f"not a host or host:port: {host[:80]!r}")
        return self.shown_headers(host, secrets.token_hex(16)) if self.adds else ()

    def shown_headers(self, host: str, nonce: str) -> tuple[tuple[str, str], ...]:
        """The headers of `adds` with these words in the open places, for documentation."""
        name = host if host.endswith("]") else re.sub(r":\d+$", "", host)
        words = {"{host}": host, "{name}": name, "{nonce}": nonce}
        return tuple((header, _fill(value, words)) for header, value in self.adds)

    def variant(self, name: str, phrase: str, **changes: object) -> Code:
        """A variant of this code: what is not named in `changes` is as in the code itself."""
        return replace(self, name=name, phrase=phrase, variants=(), **changes)  # type: ignore[arg-type]

    def with_variants(self, *variants: Code) -> Code:
        """The same code, knowing its variants."""
        return replace(self, variants=variants)


def _fill(template: str, words: dict[str, str]) -> str:
    return re.sub(r"\{[a-z]+\}", lambda found: words[found[0]], template)
