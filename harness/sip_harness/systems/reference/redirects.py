"""Where a redirection leads (RFC 3261 8.1.3.4, 16.5, 16.7 step 4). Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from sip_harness.model.guard import PREMIUM
from sip_harness.model.numbers import begins_with, number_of
from sip_harness.sip.address import Address, parse_address
from sip_harness.sip.errors import SipError
from sip_harness.sip.headers import listed
from sip_harness.sip.message import Message, build, parse
from sip_harness.sip.uri import Uri, parse_uri
from sip_harness.systems.reference.actions import Target

SAFE = 1.0
"""q of a contact that states none (RFC 3261 20.10)."""
MAX_CIRCLES = 12
"""Branches at which a system that has gone wrong stops: enough to be seen, and no flood."""


@dataclass(frozen=True)
class Redirection:
    """A 3xx taken apart."""

    groups: Sequence[Sequence[Target]]
    """Targets that have not been tried, the most preferred ones first, equals together."""
    code: int
    """The response's own."""
    left: Message | None
    """The response with those contacts that were not followed (RFC 3261 16.7 step 4); None if there are none."""


def read(
    response: Message,
    find: Callable[[Uri], Iterable[Target]],
    tried: Iterable[Target],
    faults: frozenset[str],
    by: str = "",
) -> Redirection:
    """Take a 3xx apart. `find` says what a SIP URI leads to: nothing, or one or several targets; `tried` are those that
    the call has been sent to: none comes twice (RFC 3261 16.5). `by` is the URI of who has answered so: he is what a
    305 leads to, by the proxies that it names (RFC 3261 21.3.4)."""
    seen = [uri for one in tried for uri in (one.uri, one.named) if uri]
    if "follows-redirects-in-circles" in faults:
        seen = []
    behind = by if response.code == 305 and "takes-305-for-302" not in faults else ""
    chosen: list[Target] = []
    left: list[str] = []
    for element in _elements(response):
        found = []
        for target in _targets(element, find, faults):
            if not any(same(target.uri, uri) for uri in seen):
                found.append(replace(target, uri=behind, path=(_route(target.uri),)) if behind else target)
                seen.append(target.uri)
        chosen += found
        if not found:
            left.append(element)
    return Redirection(_by_preference(chosen, faults), response.code, _with(response, left) if left else None)


def _route(proxy: str) -> str:
    """A Route value that leads by this proxy, and is for a loose router (RFC 3261 19.1.1)."""
    return f"<{proxy}>" if parse_uri(proxy).has("lr") else f"<{proxy};lr>"


def same(one: str, other: str) -> bool:
    """Whether two URIs lead to the same target (RFC 3261 19.1.4)."""
    try:
        return parse_uri(one).equivalent(parse_uri(other))
    except SipError:
        return one == other


def _elements(response: Message) -> tuple[str, ...]:
    try:
        return listed(response, "contact")
    except SipError:
        return ()


def _targets(element: str, find: Callable[[Uri], Iterable[Target]], faults: frozenset[str]) -> list[Target]:
    try:
        contact: Address = parse_address(element)
        uri = parse_uri(contact.uri)
    except SipError:
        return []
    if uri.scheme == "sips" and "follows-sips-in-the-clear" in faults:
        uri = parse_uri(f"sip:{contact.uri[5:]}")
    if uri.scheme != "sip" or _costs_a_fortune(contact.uri, faults):  # there is no TLS here
        return []
    q = SAFE if contact.q is None else contact.q
    return [replace(target, q=q, named=str(uri)) for target in find(uri)]


def _costs_a_fortune(uri: str, faults: frozenset[str]) -> bool:
    """Whether it is a premium number: whoever can make a phone redirect could call those at the expense of others."""
    return "follows-redirects-to-premium-numbers" not in faults and begins_with(number_of(uri), PREMIUM)


def _by_preference(targets: list[Target], faults: frozenset[str]) -> list[list[Target]]:
    if "ignores-q" in faults:
        return [targets] if targets else []
    if "follows-first-contact-only" in faults:
        targets = sorted(targets, key=lambda target: -target.q)[:1]
    levels = sorted({target.q for target in targets}, reverse=True)
    return [[target for target in targets if target.q == q] for q in levels]


def _with(response: Message, contacts: list[str]) -> Message:
    others = [(field.name, field.value) for field in response.fields if field.key != "contact"]
    start = f"SIP/2.0 {response.code} {response.reason}"
    return parse(build(start, [*others, *(("Contact", value) for value in contacts)], response.body))
