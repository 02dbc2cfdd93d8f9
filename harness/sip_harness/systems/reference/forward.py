"""Requests and responses as a proxy hands them on (RFC 3261 16.4, 16.6, 16.7). Pure: bytes in, bytes out."""

from __future__ import annotations

import re
from dataclasses import replace
from hashlib import blake2s

from sip_harness.model.entry import Address
from sip_harness.net.base import host_port
from sip_harness.sip import digest
from sip_harness.sip.errors import SipError
from sip_harness.sip.headers import max_forwards
from sip_harness.sip.message import Message, build, first_element, parse, split_list
from sip_harness.sip.transaction_key import COOKIE
from sip_harness.sip.uri import Uri, parse_uri, uri_text
from sip_harness.sip.via import with_source, without_topmost
from sip_harness.systems.reference.headers import KNOWN

DEFAULT_HOPS = 70
"""Max-Forwards of a request that came without (RFC 3261 16.6 step 3)."""
BREADTH = 60
"""Max-Breadth of a request that came without (RFC 5393 5.3.3)."""
RECORDED = frozenset({"INVITE", "SUBSCRIBE", "REFER"})
"""Methods whose dialogs we stay in the path of (RFC 3261 16.6 step 4)."""

_OF_100REL = frozenset({"require", "rseq"})

Headers = list[tuple[str, str]]


def request_on(
    request: Message,
    source: Address,
    *,
    uri: str,
    via: str,
    routes: list[str],
    record: list[str],
    realm: str = "",
    faults: frozenset[str] = frozenset(),
    spent: int = 0,
    breadth: int = 0,
) -> bytes:
    """The request as it goes to the next hop: our Via on top, one hop less, the rest as it came.

    `routes` replace its Route values, `record` are Record-Route values of ours. Credentials for our own `realm` were
    meant for us and go no further (RFC 3261 22.3). `spent` hops are taken off besides: a fault.
    A `breadth` replaces its Max-Breadth (RFC 5393 5.3.3).
    """
    headers: Headers = [("Via", via), *(("Record-Route", value) for value in record)]
    replaced = {"route"} | ({"max-breadth"} if breadth else set())
    first_via, counted = True, False
    for field in request.fields:
        name, value = field.key, field.value
        if name in replaced or _stays(name, value, request.method, realm, faults):
            continue
        if name == "via" and first_via:
            first_via, value = False, with_source(value, *source)
        elif name == "max-forwards":
            value, counted = str(max(hops_left(request, faults) - spent, 0)), True
        headers.append((field.name, value))
    if not counted and "adds-no-max-forwards" not in faults:
        headers.append(("Max-Forwards", str(DEFAULT_HOPS)))
    headers += [("Route", route) for route in routes]
    if breadth:
        headers.append(("Max-Breadth", str(breadth)))
    body = request.body
    if body and "changes-bodies" in faults:
        headers, body = _without_length(headers), body + b"a=x-mended:yes\r\n"
    return build(f"{request.method} {uri} SIP/2.0", headers, body)


def _stays(name: str, value: str, method: str, realm: str, faults: frozenset[str]) -> bool:
    """Whether a header of a request goes no further: credentials that were for us, and under faults what has to be
    kept (RFC 3261 16.6 step 1, 22.3)."""
    if name in ("authorization", "proxy-authorization"):
        return _is_for_us(name, value, realm) or "consumes-foreign-credentials" in faults
    if name not in KNOWN:
        return "drops-headers-of-requests" in faults
    return name == "reason" and method == "BYE" and "drops-reason-of-bye" in faults


def breadth_of(request: Message) -> int:
    """How many branches a request may have at one time (RFC 5393 5.3.3); BREADTH if it does not say, or too much."""
    text = (request.get("max-breadth") or "").strip()
    return min(int(text), BREADTH) if re.fullmatch("[0-9]{1,9}", text) and int(text) else BREADTH


def with_credentials(request: Message, response: Message) -> Message | None:
    """A request of ours once more, on a branch of its own, with an answer to this 407; None if none can be made."""
    (name, via), *others = [(field.name, field.value) for field in request.fields]
    try:
        given = digest.authorization(
            digest.choose(response.all("proxy-authenticate")),
            username="proxy",
            password="proxy",  # noqa: S106 - of a fault
            method=request.method,
            uri=request.uri,
        )
    except SipError:
        return None
    again = via.replace(request.branch, branch_of(request, f"{request.branch[len(COOKIE) :][:12]}a"))
    start = f"{request.method} {request.uri} SIP/2.0"
    return parse(build(start, [(name, again), *others, ("Proxy-Authorization", given)], request.body))


def request_uri(uri: str, faults: frozenset[str] = frozenset()) -> str:
    """A target as it may stand in a request: without headers and `method` (RFC 3261 16.6 step 2, 19.1.1 table 1)."""
    parsed = readable(uri)
    if parsed is None or "keeps-uri-headers" in faults or not (parsed.headers or parsed.has("method")):
        return uri
    params = tuple((name, value) for name, value in parsed.params if name != "method")
    return str(replace(parsed, headers=(), params=params, text=""))


def hops_left(request: Message, faults: frozenset[str]) -> int:
    """Max-Forwards of the request on its way on (RFC 3261 16.6 step 3)."""
    try:
        hops = max_forwards(request)
    except SipError:
        hops = None
    if hops is None:
        return DEFAULT_HOPS
    return hops if "counts-no-hops" in faults else max(hops - 1, 0)


def response_on(response: Message, more: Headers | None = None, faults: frozenset[str] = frozenset()) -> bytes:
    """The response as it goes back: without our Via, otherwise as it came (RFC 3261 16.7 steps 3 and 9)."""
    headers: Headers = []
    body, reasoned = response.body, False
    for field, came in without_topmost(response.fields):
        value = came
        if field.key in _lost(faults) or (field.key in _OF_100REL and "strips-100rel" in faults):
            continue
        if field.key == "reason" and "keeps-one-reason" in faults and reasoned:
            continue
        if field.key not in KNOWN and "drops-unknown-headers" in faults:
            continue
        if field.key == "reason" and "keeps-one-reason" in faults:
            value, reasoned = first_element(value), True
        if field.key == "to" and "changes-to-tag" in faults and response.code > 100:
            value = f"{value.partition(';tag=')[0]};tag=changed{response.code}"
        headers.append((field.name, value))
    if "forwards-surplus" in faults and response.surplus:
        headers, body = _without_length(headers), body + response.surplus
    if "drops-body" in faults and response.code >= 300:
        headers, body = [h for h in headers if not h[0].lower().startswith("content-")], b""
    return build(f"SIP/2.0 {response.code} {response.reason}", [*headers, *(more or [])], body)


def _without_length(headers: Headers) -> Headers:
    """To be counted anew."""
    return [h for h in headers if h[0].lower() not in ("content-length", "l")]


def _lost(faults: frozenset[str]) -> frozenset[str]:
    names = {"drops-reason": "reason", "drops-retry-after": "retry-after", "drops-warning": "warning"}
    return frozenset(header for fault, header in names.items() if fault in faults)


def without_transport(uri: str) -> str:
    """The URI without what it says of the transport."""
    return re.sub(r";transport=[^;>?]*", "", uri, flags=re.IGNORECASE)


def loop_mark(request: Message, realm: str = "") -> str:
    """What stays the same when a request comes back unchanged (RFC 5393 4.2.1): part of our branches. Credentials for
    our own `realm` go no further than to us, and so do not come back."""
    parts = [request.uri, request.from_tag, request.to_tag, request.call_id, str(request.cseq[0])]
    for name in ("route", "proxy-require", "proxy-authorization"):
        parts += [value for value in request.all(name) if not _is_for_us(name, value, realm)]
    return blake2s("\n".join(parts).encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def _is_for_us(name: str, value: str, realm: str) -> bool:
    """Whether these are credentials for this realm of ours."""
    return name == "proxy-authorization" and bool(realm) and f'realm="{realm}"' in value


def branch_of(request: Message, unique: str, realm: str = "") -> str:
    """A branch of ours: unique in front, the loop mark behind (RFC 3261 16.6 step 8)."""
    return f"{COOKIE}{unique}.{loop_mark(request, realm)}"


def loops(request: Message, here: Address, realm: str = "") -> bool:
    """Whether we have had this very request before (RFC 3261 16.3 step 4, RFC 5393 4.2.2)."""
    mark = f".{loop_mark(request, realm)}"
    return any(mark in via for via in _our_vias(request, here))


def was_here(request: Message, here: Address) -> bool:
    """Whether we have had this request before, perhaps for somebody else: then it is a spiral (RFC 3261 6)."""
    return bool(_our_vias(request, here))


def _our_vias(request: Message, here: Address) -> list[str]:
    vias = [via for value in request.all("via") for via in split_list(value)]
    return [via for via in vias if f" {host_port(here)};" in via]


def routes_of(request: Message) -> list[str]:
    """Route values in order, lists taken apart."""
    return [element for value in request.all("route") for element in split_list(value)]


def is_here(uri: str, here: Address) -> bool:
    """Whether a URI names us: our host and port, whatever its user and transport."""
    parsed = readable(uri)
    return parsed is not None and (parsed.host.strip("[]"), parsed.port or 5060) == (here[0], here[1])


def readable(uri: str) -> Uri | None:
    """The URI taken apart; None if it is no SIP URI."""
    try:
        return parse_uri(uri)
    except SipError:
        return None


def past_us(request: Message, here: Address) -> tuple[str, list[str]]:
    """Request-URI and Route values once our own entries are taken off (RFC 3261 16.4).

    A strict router before us has put our Record-Route value into the Request-URI: the real one is the last Route.
    """
    uri, routes = request.uri, routes_of(request)
    parsed = readable(uri)
    if routes and parsed is not None and parsed.has("lr") and is_here(uri, here):
        uri = uri_text(routes.pop())
    while routes and is_here(uri_text(routes[0]), here):
        del routes[0]
    return uri, routes


def next_hop(uri: str, routes: list[str]) -> str:
    """The URI that says where the request goes (RFC 3261 16.6 steps 6 and 7)."""
    return uri_text(routes[0]) if routes else uri


def via_back(response: Message) -> str:
    """The Via element below the topmost one: whom a response goes to; empty if there is none."""
    vias = [via for value in response.all("via") for via in split_list(value)]
    return first_element(vias[1]) if len(vias) > 1 else ""
