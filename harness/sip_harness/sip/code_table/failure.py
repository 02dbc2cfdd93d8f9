"""Rows of 5xx and 6xx."""

from sip_harness.sip.code_table.row import Code

_ORDER, _INTERWORKING, _REJECTED = "38 Network out of order", "127 Interworking, unspecified", "21 Call rejected"

_DECLINE = Code(
    603, "Decline", "decline", "RFC 3261 21.6.2", "INVITE, SUBSCRIBE, REFER", "the callee does not want the call",
    may=("Retry-After", "Reason"), q850=_REJECTED, failover="depends",
    failover_note="final from a phone; some carriers want the next trunk tried",
    quirks="phones send it for a local reject, so one handset ends the whole fork; PBXs for do-not-disturb; "
    "carriers for barred calls and cost limits",
)  # fmt: skip

ROWS = (
    Code(
        500, "Server Internal Error", "server-internal-error", "RFC 3261 21.5.1, 12.2.2, 14.2, 16.7; RFC 3311 5.2",
        "any",
        "the call fails, fast busy",
        must=("Retry-After of 0 to 10 s, if a second INVITE or UPDATE came before the first was answered",),
        may=("Retry-After",), q850="41 Temporary failure", proxy="takes the place of a 503 that is the only answer",
        failover="yes", quirks="also a number without configuration, or an outbound route that failed",
    ),
    Code(
        501, "Not Implemented", "not-implemented", "RFC 3261 21.5.2", "any unknown method",
        "the request is unknown there",
        q850="79 Service or option not implemented, unspecified", ends="usage",
        proxy="made by UASs: a proxy forwards methods that it does not know", failover="depends",
        quirks="to OPTIONS it still proves the peer alive",
    ),
    Code(
        502, "Bad Gateway", "bad-gateway", "RFC 3261 21.5.3", "INVITE",
        "the network behind the gateway fails, fast busy",
        may=("Reason: Q.850;cause=27",), q850=_ORDER, ends="dialog", failover="yes",
        quirks="made out of ISUP 27, destination out of order",
    ),
    Code(
        503, "Service Unavailable", "service-unavailable", "RFC 3261 21.5.4, 16.7; RFC 3263 4.3; RFC 7339 5.10.2",
        "any",
        "all lines busy, fast busy", may=("Retry-After",), q850="41 Temporary failure",
        proxy="should not be forwarded: alone it becomes 500, and another server is tried meanwhile",
        failover="yes", failover_note="the one code for which the RFC itself asks for another server",
        quirks="stands for call-rate and channel limits, no route, no credit; ISUP congestion becomes it on a healthy "
        "gateway, so one 503 is no reason to take the trunk down",
    ),
    Code(
        504, "Server Time-out", "server-time-out", "RFC 3261 21.5.5; RFC 3311 5.2", "INVITE, UPDATE",
        "something behind the server stayed silent", q850="102 Recovery on timer expiry", failover="yes",
    ),
    Code(
        505, "Version Not Supported", "version-not-supported", "RFC 3261 21.5.6; RFC 4475 3.1.2.16", "any",
        "not this version of SIP", q850=_INTERWORKING, failover="no",
    ),
    Code(
        513, "Message Too Large", "message-too-large", "RFC 3261 21.5.7", "any", "the message is too long",
        q850=_INTERWORKING, failover="depends",
        quirks="fragments lost at a border controller; above 1300 bytes a request belongs on TCP (18.1.1)",
    ),
    Code(
        555, "Push Notification Service Not Supported", "push-notification-service-not-supported",
        "RFC 8599 5.6.1, 8.1",
        "REGISTER", "the phone cannot be woken by push", may=("Feature-Caps",), quirks="only ever to REGISTER",
    ),
    Code(
        580, "Precondition Failure", "precondition-failure", "RFC 3312 8", "INVITE, UPDATE",
        "the network could not reserve what the call needs", should=("SDP that names the failed precondition",),
        failover="depends", failover_note="mobile network refused the bearer", quirks="the RFC spells it in two ways",
    ),
    Code(
        599, "Unknown Server Failure", "unknown-server-failure", "RFC 3261 8.1.3.2", "INVITE",
        "in no registry: to be taken as 500", origin="test", failover="depends", failover_note="as 500",
    ),
    Code(
        600, "Busy Everywhere", "busy-everywhere", "RFC 3261 21.6.1, 13.3.1.3", "INVITE",
        "busy on all devices of the callee",
        may=("Retry-After",), q850="17 User busy", failover="no", failover_note="hunting stops",
        quirks="B2BUAs lose it: Asterisk turns it into cause 17 and that into 486; a single device can seldom know it",
    ),
    _DECLINE.with_variants(
        _DECLINE.variant(
            "network-blocked", "Network Blocked", origin="vendor", rfc="ATIS-1000099 (603+); RFC 3326; RFC 8606",
            methods="INVITE", meaning="blocked by call analytics; Reason says whom to turn to",
            must=("Reason with cause, text and location",), may=(),
            adds=(("Reason", 'Q.850;cause=21;text="v=analytics1;url=https://{name}/redress";location=TN'),),
            proxy="Reason has to reach the caller", failover="no", failover_note="a decision, not a fault",
            quirks="since March 2026 the only code US networks may use for this; without that Reason a plain Decline",
        ),
        _DECLINE.variant(
            "carrier-account-inactive", "Decline", origin="vendor", rfc="RFC 3261 21.6.2; carriers' documentation",
            methods="INVITE", meaning="the trunk is suspended", may=(), adds=(("X-Twilio-Error", "10001"),),
            failover="yes", failover_note="against the rule for 6xx: needs a policy for that trunk",
            quirks="a system that keeps to the RFC stops here, its operator wants the next trunk",
        ),
    ),
    Code(
        604, "Does Not Exist Anywhere", "does-not-exist-anywhere", "RFC 3261 21.6.3", "INVITE",
        "the number does not exist",
        may=("Reason: Q.850;cause=1",), q850="1 Unallocated number", ends="dialog", failover="no",
        quirks="abused by call blockers to get off dialling lists (RFC 8688 1); only 604, not 404, ends the hunt",
    ),
    Code(
        606, "Not Acceptable", "not-acceptable-anywhere", "RFC 3261 21.6.4", "INVITE",
        "no device can take this session",
        may=("Warning", "SDP with what would be possible"), q850="by Warning, else 31 Normal, unspecified",
        failover="depends", failover_note="by the rule for 6xx it stops; a device should send 488",
    ),
    Code(
        607, "Unwanted", "unwanted", "RFC 8197 4", "INVITE, MESSAGE, SUBSCRIBE", "the callee marked the caller as spam",
        failover="no", quirks="for people, not for analytics; also as a Reason in BYE and CANCEL",
    ),
    Code(
        608, "Rejected", "rejected", "RFC 8688 3.1", "INVITE, MESSAGE, SUBSCRIBE", "blocked by call analytics",
        must=("Call-Info with purpose=jwscard, unless the caller is malicious",),
        adds=(("Call-Info", "<https://{name}/card.json>;purpose=jwscard"),),
        proxy="who announced sip.608 forwards it even after an announcement", failover="no",
        quirks="where the INVITE lacks sip.608 an announcement in 183 has to come first",
    ),
    Code(
        699, "Unknown Global Failure", "unknown-global-failure", "RFC 3261 8.1.3.2, 16.7", "INVITE",
        "in no registry: to be taken as 600", origin="test", failover="depends", failover_note="as 600",
    ),
)  # fmt: skip
