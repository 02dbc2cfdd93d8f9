"""Requests within a dialog that any user agent accepts, besides INVITE and BYE: UPDATE, INFO, NOTIFY."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sip_harness.endpoint import build
from sip_harness.endpoint.server import Server
from sip_harness.sip.errors import SipError

if TYPE_CHECKING:
    from sip_harness.endpoint.leg import Leg
    from sip_harness.endpoint.ua import UserAgent

SERVED = ("UPDATE", "INFO", "NOTIFY")
"""Accepted within a dialog only (RFC 3311; RFC 6086 4.2.2; RFC 6665, for the progress of a REFER)."""
ALLOW = f"{build.ALLOW}, {', '.join(SERVED)}"
"""What a user agent says in its INVITE that it takes within the dialog."""


def accept(ua: UserAgent, leg: Leg, server: Server) -> None:
    """Answer one of them with 200; an UPDATE with an offer gets its answer, or 491 while we have offered ourselves
    (RFC 3311 5.2)."""
    request = server.request
    own = [("Contact", ua.contact), ("Allow", ALLOW)] if request.method == "UPDATE" else []
    offers = request.method == "UPDATE" and bool(request.body)
    if offers and leg.inviting:
        ua.answer(server, 491, "Request Pending")
        return
    try:
        body = leg.session.describe(request) if offers else b""
    except SipError:
        ua.answer(server, 488, "Not Acceptable Here")
        return
    source, tag = server.source.remote, leg.dialog.local_tag
    data = build.response(request, 200, "OK", source=source, tag=tag, own=own, body=body)
    server.respond(200, data, "protocol")
