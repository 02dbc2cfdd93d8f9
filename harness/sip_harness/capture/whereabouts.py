"""Who is who among the addresses of a capture: which of them is the system, and who has registered with it.

The system is either told or found: the one that gets INVITEs and sends some. Where nobody does both, whoever sends
INVITEs is the system, and its caller is not in the picture: so it is with a capture taken between a PBX and its
carrier.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sip_harness.capture.legs import Node
from sip_harness.capture.packets import BadCapture, Packet
from sip_harness.model.entry import Address
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message, parse
from sip_harness.sip.uri import parse_uri, uri_text
from sip_harness.sip.values import first_element, split_list
from sip_harness.sip.via import parse_via

_MOST_NAMED = 20


def listed(names: Iterable[str]) -> str:
    """Names with commas between, the first few of many."""
    each = list(names)
    return ", ".join(each[:_MOST_NAMED]) + (f" and {len(each) - _MOST_NAMED} more" if len(each) > _MOST_NAMED else "")


def registered_with(parsed: Iterable[tuple[Packet, Message]], nodes: Sequence[Node]) -> frozenset[Address]:
    """Where the system got REGISTER from, and what that named as contacts."""
    found: set[Address] = set()
    for packet, m in parsed:
        if m.method == "REGISTER" and any(node.has(packet.target) for node in nodes):
            found.add(packet.source)
            for value in (element for field in m.all("contact") for element in split_list(field)):
                try:
                    uri = parse_uri(uri_text(value))
                except SipError:
                    continue
                found.add((uri.host.strip("[]"), uri.port or 5060))
    return frozenset(found)


def messages(packets: Iterable[Packet]) -> list[tuple[Packet, Message]]:
    """All messages that can be read, their ends called by the addresses that they have for others."""
    return _by_their_own_names(list(_parsed(packets)))


def _parsed(packets: Iterable[Packet]) -> Iterable[tuple[Packet, Message]]:
    for packet in packets:
        try:
            yield packet, parse(packet.data)
        except SipError:
            continue


def _by_their_own_names(parsed: list[tuple[Packet, Message]]) -> list[tuple[Packet, Message]]:
    """Whoever opens a connection does so from a port that says nothing of him: his Via says where he is."""
    names: dict[Address, Address] = {}
    for packet, m in parsed:
        via = parse_via(first_element(m.get("via") or "")) if m.is_request and packet.transport != "udp" else None
        if via is not None and via.host.strip("[]") == packet.source[0]:
            names.setdefault(packet.source, (packet.source[0], via.port))
    if not names:
        return parsed
    return [
        (replace(p, source=names.get(p.source, p.source), target=names.get(p.target, p.target)), m) for p, m in parsed
    ]


def system_of(edges: Sequence[tuple[Packet, Message]]) -> Node:
    """Who gets INVITEs and sends some: if several do, as phones that call one another, the one without whom none was
    sent. Else who sends them."""
    by_port = any(p.source[0] == p.target[0] for p, _ in edges)
    sources = dict.fromkeys(_node(p.source, by_port=by_port) for p, _ in edges)
    targets = dict.fromkeys(_node(p.target, by_port=by_port) for p, _ in edges)
    both = [node for node in sources if node in targets]
    always = [node for node in both if all(node.has(p.source) or node.has(p.target) for p, _ in edges)]
    found = always or both or list(sources)
    if len(found) == 1:
        return found[0]
    what = "is called and calls" if both else "calls, and nobody of them is called"
    raise BadCapture(
        f"which of {listed(map(str, found))} is the system? Each {what}. Say `--at {found[0]}` (all its addresses, "
        "if it has several)"
    )


def _node(address: Address, *, by_port: bool) -> Node:
    return Node(address[0], address[1] if by_port else 0)
