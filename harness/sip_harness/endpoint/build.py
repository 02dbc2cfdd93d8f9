"""Messages of a user agent: requests and responses with the headers that each must have (RFC 3261 8.1.1, 8.2.6)."""

from __future__ import annotations

import secrets

from sip_harness.model.entry import Address
from sip_harness.net.base import Transport, host_port, stated
from sip_harness.sip.message import COMPACT, Message, build
from sip_harness.sip.transaction_key import COOKIE
from sip_harness.sip.via import with_source

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS"
SDP = "application/sdp"

Headers = list[tuple[str, str]]


def new_tag() -> str:
    """A From or To tag (RFC 3261 19.3)."""
    return secrets.token_hex(5)


def new_via(transport: Transport) -> str:
    """A Via of ours with a branch that never was; the peer is asked to answer to the port it sees (RFC 3581)."""
    return f"SIP/2.0/{transport.name} {host_port(stated(transport))};rport;branch={COOKIE}{secrets.token_hex(9)}"


def contact_uri(user: str, transport: Transport, seen: Address | None = None) -> str:
    """A URI that leads to us over this transport (RFC 3261 19.1.1), to where we are seen if that is elsewhere; a secure
    WebSocket is `ws` there as well (RFC 7118 5.2)."""
    name = {"UDP": "", "WSS": "ws"}.get(transport.name, transport.name.lower())
    return f"sip:{user}@{host_port(seen or stated(transport))}{f';transport={name}' if name else ''}"


def request(
    method: str,
    uri: str,
    *,
    via: str,
    sender: str,
    to: str,
    call_id: str,
    cseq: int,
    headers: Headers,
    body: bytes = b"",
    content_type: str = SDP,
    omit: frozenset[str] = frozenset(),
) -> bytes:
    """A request; `sender` and `to` are whole From and To values. What `headers` names replaces what we would add;
    `omit` (lower case) leaves out ours."""
    own = [("Via", via), ("Max-Forwards", "70"), ("From", sender), ("To", to), ("Call-ID", call_id)]
    own.append(("CSeq", f"{cseq} {method}"))
    return _assemble(f"{method} {uri} SIP/2.0", own, headers, omit, body, content_type)


def response(
    to: Message,
    code: int,
    reason: str,
    *,
    source: Address,
    tag: str,
    own: Headers | None = None,
    headers: tuple[tuple[str, str], ...] | Headers = (),
    omit: frozenset[str] = frozenset(),
    body: bytes = b"",
    content_type: str = SDP,
) -> bytes:
    """A response to the request `to` that came from `source`.

    `tag` is our To tag, left out of a 100 and where the request has one already. `own` are headers of ours beyond
    those that every response has; `headers` are the author's, as given, and replace ours of the same name; `omit`
    (lower case) leaves out ours.
    """
    base = [("Via", via) for via in to.all("via")]
    if base:
        base[0] = ("Via", with_source(base[0][1], *source))
    if 100 < code < 300 and to.method != "REGISTER":  # RFC 3261 12.1.1, 10.3
        base += [("Record-Route", value) for value in to.all("record-route")]
    base += [("From", to.get("from") or ""), ("To", _tagged(to, code, tag))]
    base += [("Call-ID", to.call_id), ("CSeq", to.get("cseq") or "")]
    start = f"SIP/2.0 {code} {reason}"
    return _assemble(start, base + (own or []), list(headers), omit, body, content_type)


def changed(message: Message, given: Headers, omit: frozenset[str]) -> bytes:
    """A request with these headers besides its own or instead of them, and without those that `omit` (lower case)
    names. It has no body."""
    own = [(field.name, field.value) for field in message.fields if field.key != "content-length"]
    return _assemble(message.start, own, given, omit, b"", SDP)


def _tagged(to: Message, code: int, tag: str) -> str:
    value = to.get("to") or ""
    return value if code == 100 or to.to_tag else f"{value};tag={tag}"


def _assemble(start: str, own: Headers, given: Headers, omit: frozenset[str], body: bytes, content_type: str) -> bytes:
    if body:
        own = [*own, ("Content-Type", content_type)]
    own = [*own, ("Content-Length", str(len(body)))]
    replaced = omit | {_canonical(name) for name, _ in given}
    kept = [(name, value) for name, value in own if name.lower() not in replaced]
    length = kept.pop() if kept and kept[-1][0] == "Content-Length" else None
    headers = [*kept, *given, *([length] if length else [])]
    data = build(start, headers, body)
    if length is None and "content-length" in omit:  # `build` gives every message a length; this one must have none
        head, _, rest = data.partition(b"\r\n\r\n")
        return head.rpartition(b"\r\n")[0] + b"\r\n\r\n" + rest
    return data


def _canonical(name: str) -> str:
    low = name.lower()
    return COMPACT.get(low, low)
