"""Rows of the 4xx that RFC 3261 defines or drops, up to 423."""

from sip_harness.sip.code_table.row import Code

_REJECTED, _INTERWORKING = "21 Call rejected", "127 Interworking, unspecified"
_AUTH_NOTE = "the first asks for credentials; a second means they are wrong, and then the next carrier is worth a try"

_FORBIDDEN = Code(
    403, "Forbidden", "forbidden", "RFC 3261 21.4.4, 10.3; RFC 8224 6.2.2", "any",
    "barred, or registered with the wrong password", may=("Reason", "Warning"), q850=_REJECTED,
    failover="depends", failover_note="not after a barred number; worth it after a channel limit or an empty account",
    quirks="also used for channel and rate limits, billing blocks and banned addresses; Asterisk gives up registering",
)  # fmt: skip

ROWS = (
    Code(
        400, "Bad Request", "bad-request", "RFC 3261 21.4.1, 8.1.3.2", "any", "the request was not understood",
        should=("a phrase that names the mistake",), may=("Warning",), q850="41 Temporary failure",
        failover="depends", failover_note="mostly a mistake of the sender; another carrier may be less strict",
        quirks="carriers send it for a missing P-Asserted-Identity or a number that is not E.164",
    ),
    Code(
        401, "Unauthorized", "unauthorized", "RFC 3261 21.4.2, 22.2; RFC 8760 2",
        "any, mostly REGISTER; never ACK or CANCEL",
        "unseen if the phone has credentials, else the call fails",
        must=("WWW-Authenticate, one or more",), may=("Proxy-Authenticate",),
        adds=(("WWW-Authenticate", 'Digest realm="{name}", nonce="{nonce}", algorithm=MD5, qop="auth"'),),
        q850=_REJECTED, proxy="preferred within 4xx; challenges of all branches are put together",
        failover="depends", failover_note=_AUTH_NOTE,
        quirks="loops with a stale nonce; challenges to BYE and re-INVITE; on an incoming trunk call a fault",
    ),
    Code(
        402, "Payment Required", "payment-required", "RFC 3261 21.4.3 (reserved)", "INVITE",
        "the account has no credit",
        q850=_REJECTED, failover="yes", failover_note="the account at that carrier is empty; the next one has its own",
        quirks="sent by carriers for an empty balance although the RFC keeps it for later use",
    ),
    _FORBIDDEN.with_variants(
        _FORBIDDEN.variant(
            "insufficient-funds", "Insufficient funds", origin="vendor",
            rfc="RFC 3261 21.4.4, 7.2 (the phrase is free text)", methods="INVITE",
            meaning="no credit, or the destination is closed by fraud control", may=("a vendor's own error header",),
            failover="yes", failover_note="the next carrier can complete the call",
            quirks="only the code tells a machine anything: phrases differ and must not be matched",
        ),
    ),
    Code(
        404, "Not Found", "not-found", "RFC 3261 21.4.5, 16.5, 10.3", "any", "no such number",
        may=("Reason: Q.850;cause=1", "Retry-After"), q850="1 Unallocated number", ends="dialog",
        failover="depends", failover_note="final from a user's registrar; from a carrier often just 'no route here'",
        quirks="PBXs send it where a number has no inbound route; to OPTIONS it still proves the peer alive",
    ),
    Code(
        405, "Method Not Allowed", "method-not-allowed", "RFC 3261 21.4.6, 8.2.1", "any",
        "that request is not taken there",
        # INVITE is left out: it is what a scripted device most often refuses, and Allow lists what is not refused.
        must=("Allow",), adds=(("Allow", "ACK, BYE, CANCEL, OPTIONS"),),
        q850="63 Service or option not available, unspecified", ends="usage", failover="no",
        quirks="common from trunks to OPTIONS, UPDATE, INFO, PRACK; a probe should count it as alive",
    ),
    Code(
        406, "Not Acceptable", "not-acceptable", "RFC 3261 21.4.7", "any", "no body that the caller's Accept allows",
        q850="79 Service or option not implemented, unspecified", failover="depends",
        quirks="wrongly used for codecs that do not match, where 488 is meant",
    ),
    Code(
        407, "Proxy Authentication Required", "proxy-authentication-required", "RFC 3261 21.4.8, 22.3",
        "any but ACK and CANCEL", "unseen if the phone has credentials", must=("Proxy-Authenticate",),
        may=("WWW-Authenticate",),
        adds=(("Proxy-Authenticate", 'Digest realm="{name}", nonce="{nonce}", algorithm=MD5, qop="auth"'),),
        q850=_REJECTED, proxy="preferred within 4xx, put together with 401; proxies do not answer it themselves",
        failover="depends", failover_note=_AUTH_NOTE,
        quirks="challenges to BYE and re-INVITE; realms that change from call to call, or two in one response",
    ),
    Code(
        408, "Request Timeout", "request-timeout", "RFC 3261 21.4.9, 8.1.3.1, 16.7; RFC 4320 4.2", "INVITE only",
        "nobody answered in time, or the phone is off the network", q850="102 Recovery on timer expiry",
        proxy="made by a proxy whose branches all stayed silent; in a dialog it ends the dialog (RFC 3261 12.2.1.2)",
        failover="yes", failover_note="no answer at all is a failure (RFC 3263 4.3); one that was received is policy",
        quirks="also sent for no answer, where 480 is expected; Kamailio can let its own win over a real 486",
    ),
    Code(
        409, "Conflict", "conflict", "RFC 2543 7.4.10", "REGISTER", "another registration is in the way",
        origin="obsolete",
        failover="depends", quirks="dropped in 2002, still in vendors' lists; some gateways map ISDN causes to it",
    ),
    Code(
        410, "Gone", "gone", "RFC 3261 21.4.10; RFC 3398 8.2.6.1", "INVITE", "the number is no longer in service",
        may=("Reason: Q.850;cause=22",), q850="22 Number changed", ends="dialog",
        failover="no", failover_note="final for this number", quirks="used for changed and ported numbers",
    ),
    Code(
        411, "Length Required", "length-required", "RFC 2543 7.4.12", "any over TCP", "Content-Length was missing",
        origin="obsolete", failover="no", quirks="dropped in 2002; seen from stacks that were made out of HTTP ones",
    ),
    Code(
        412, "Conditional Request Failed", "conditional-request-failed", "RFC 3903 11.2.1, 6", "PUBLISH",
        "the published state is gone", quirks="the entity tag in SIP-If-Match had expired",
    ),
    Code(
        413, "Request Entity Too Large", "request-entity-too-large", "RFC 3261 21.4.11", "any with a body",
        "the body is too long", should=("Retry-After, if it will pass",), q850=_INTERWORKING, failover="depends",
        quirks="long SDP: many codecs, many ICE candidates",
    ),
    Code(
        414, "Request-URI Too Long", "request-uri-too-long", "RFC 3261 21.4.12", "any", "the address is too long",
        q850=_INTERWORKING, failover="depends",
    ),
    Code(
        415, "Unsupported Media Type", "unsupported-media-type", "RFC 3261 21.4.13, 8.2.3", "any with a body",
        "the body's type is not understood", must=("Accept, Accept-Encoding or Accept-Language, whichever was missed",),
        adds=(("Accept", "application/sdp"),), q850="79 Service or option not implemented, unspecified",
        proxy="preferred within 4xx", failover="depends", failover_note="first again without that body (8.1.3.5)",
        quirks="trunks refuse multipart bodies (ISUP, location) with it",
    ),
    Code(
        416, "Unsupported URI Scheme", "unsupported-uri-scheme", "RFC 3261 21.4.14, 16.3", "any",
        "the address is of a kind that is not served", q850=_INTERWORKING, ends="dialog",
        proxy="a proxy that had turned sip into tel tries again with sip", failover="depends",
        failover_note="first again with a sip URI", quirks="sent for tel URIs",
    ),
    Code(
        417, "Unknown Resource-Priority", "unknown-resource-priority", "RFC 4412 4.6.2, 12.4",
        "INVITE with Require: resource-priority", "no such priority there", may=("Accept-Resource-Priority",),
        failover="depends",
    ),
    Code(
        420, "Bad Extension", "bad-extension", "RFC 3261 21.4.15, 8.2.2.3, 16.3", "any",
        "the caller demands something that is not supported", must=("Unsupported with the option tags",),
        adds=(("Unsupported", "100rel"),), q850=_INTERWORKING,
        proxy="preferred within 4xx; made by the proxy itself for an unknown Proxy-Require", failover="depends",
        failover_note="first again without the extension (8.1.3.5)",
        quirks="trunks that refuse Require: 100rel or timer",
    ),
    Code(
        421, "Extension Required", "extension-required", "RFC 3261 21.4.16, 8.2.4; RFC 3329 2.3.2", "any",
        "the callee demands something that the caller does not offer",
        must=("Require with the option tags", "Security-Server, if it asks for a security agreement"),
        adds=(("Require", "100rel"),), q850=_INTERWORKING, failover="depends",
    ),
    Code(
        422, "Session Interval Too Small", "session-interval-too-small", "RFC 4028 6, 8.1, 9", "INVITE, UPDATE",
        "unseen: the phone asks again with a longer interval", must=("Min-SE, at least 90",),
        adds=(("Min-SE", "1800"),), failover="no", failover_note="to be repeated there with a larger Session-Expires",
        quirks="endless where the sender does not heed Min-SE",
    ),
    Code(
        423, "Interval Too Brief", "interval-too-brief", "RFC 3261 21.4.17, 10.3; RFC 6665 4.2.1; RFC 3903 6",
        "REGISTER, SUBSCRIBE, PUBLISH", "registration refused until it asks for longer", must=("Min-Expires",),
        adds=(("Min-Expires", "3600"),), q850=_INTERWORKING,
        quirks="some registrars leave Min-Expires out; only for intervals under an hour",
    ),
)  # fmt: skip
