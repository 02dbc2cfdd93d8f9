"""What a registrar makes of the flows of a user agent (RFC 5626 6). Pure."""

from __future__ import annotations

from sip_harness.sip.address import Address, parse_address
from sip_harness.sip.errors import SipError
from sip_harness.sip.headers import listed
from sip_harness.sip.message import Message
from sip_harness.sip.uri import parse_uri


def flow(request: Message, contact: Address) -> tuple[str, str] | None:
    """The instance and the reg-id of a contact that is registered as a flow; None for any other. Raises SipError."""
    instance, number = contact.param("+sip.instance"), contact.param("reg-id")
    if instance is None or number is None or "outbound" not in listed(request, "supported"):
        return None
    return instance, number


def flows(request: Message) -> list[tuple[str, str]]:
    """All flows that a REGISTER makes or takes back. Raises SipError."""
    found = (flow(request, parse_address(one)) for one in listed(request, "contact") if one != "*")
    return [one for one in found if one is not None]


def lacks_first_hop(request: Message) -> bool:
    """Whether a REGISTER with flows has come by a proxy that knows nothing of them: the last value of Path is that of
    the proxy next to the user agent, which says so by `ob`. Raises SipError."""
    if not flows(request) or len(listed(request, "via")) < 2:
        return False
    path = listed(request, "path")
    try:
        return not path or not parse_uri(parse_address(path[-1]).uri).has("ob")
    except SipError:
        return True
