"""Rows of 4xx from 424 on: extensions, and what RFC 3261 defines from 480 on."""

from sip_harness.sip.code_table.row import Code

_STIR = "verifiers mostly let the call go on and tell in Reason: STIR of a provisional (RFC 9410)"

ROWS = (
    Code(
        424, "Bad Location Information", "bad-location-information", "RFC 6442 4.3, 4.4",
        "INVITE, any with Geolocation",
        "an emergency call may be routed wrongly", must=("Geolocation-Error",), may=("a location body",),
        adds=(("Geolocation-Error", '100;code="Cannot Process Location"'),),
        proxy="passed on without touching the location; who put the location in keeps it to itself", failover="no",
        failover_note="an emergency call should go on rather than be refused (RFC 6881)",
    ),
    Code(
        425, "Bad Alert Message", "bad-alert-message", "RFC 8876 5.1, 5.2", "MESSAGE, INVITE with an alert",
        "an alert could not be used", must=("AlertMsg-Error",),
        adds=(("AlertMsg-Error", '103;message="Alert payload was corrupted"'),),
    ),
    Code(
        428, "Use Identity Header", "use-identity-header", "RFC 8224 6.2.2", "INVITE",
        "blocked: the call is not signed",
        may=("Reason: STIR;cause=428, where the call goes on",), failover="depends",
        failover_note="another route may sign, or not verify", quirks=_STIR,
    ),
    Code(
        429, "Provide Referrer Identity", "provide-referrer-identity", "RFC 3892 5", "REFER, the INVITE it leads to",
        "transfer refused",
    ),
    Code(
        430, "Flow Failed", "flow-failed", "RFC 5626 7, 5.3.1, 11.5", "INVITE, any to a phone behind an edge proxy",
        "not meant to be seen by an endpoint",
        proxy="the proxy of the domain tries another flow of the same phone: only after 430 and 408",
        failover="yes", failover_note="the next flow, not the next carrier",
    ),
    Code(
        433, "Anonymity Disallowed", "anonymity-disallowed", "RFC 5079 5", "any, mostly INVITE",
        "callers who hide their number are refused", failover="no",
        failover_note="not to be repeated with the number shown unless the user says so (RFC 5079 4)",
        quirks="some gateways map it to cause 24",
    ),
    Code(
        436, "Bad Identity Info", "bad-identity-info", "RFC 8224 6.2.2", "INVITE",
        "blocked: the certificate could not be fetched", may=("Reason: STIR",), failover="depends", quirks=_STIR,
    ),
    Code(
        437, "Unsupported Credential", "unsupported-credential", "RFC 8224 6.2.2, 13.2", "INVITE",
        "blocked: the certificate is not accepted", may=("Reason: STIR",), failover="depends",
        quirks="known as Unsupported Certificate before RFC 8224",
    ),
    Code(
        438, "Invalid Identity Header", "invalid-identity-header", "RFC 8224 6.2.2", "INVITE",
        "blocked: the signature is wrong", may=("Reason: STIR",), failover="depends",
        failover_note="first again with the full PASSporT", quirks="a network on the way changed Date or To",
    ),
    Code(
        439, "First Hop Lacks Outbound Support", "first-hop-lacks-outbound-support", "RFC 5626 11.6, 6", "REGISTER",
        "registration refused; the phone may register without outbound",
        proxy="only to requests that asked for outbound",
    ),
    Code(
        440, "Max-Breadth Exceeded", "max-breadth-exceeded", "RFC 5393 5.3.3, 6.2", "any that is forked",
        "too many branches", proxy="made by a proxy that may neither fork further nor try in turn", failover="no",
    ),
    Code(
        469, "Bad Info Package", "bad-info-package", "RFC 6086 4.2.2, 11.6", "INFO",
        "the INFO had no effect; the call goes on", must=("Recv-Info",), adds=(("Recv-Info", "infoDtmf"),),
        quirks="must not end the dialog",
    ),
    Code(
        470, "Consent Needed", "consent-needed", "RFC 5360 5.9.2", "INVITE, MESSAGE with a list of recipients",
        "someone on the list has not agreed", should=("Permission-Missing with the URIs",),
    ),
    Code(
        480, "Temporarily Unavailable", "temporarily-unavailable", "RFC 3261 21.4.18, 16.5", "INVITE, SUBSCRIBE",
        "no answer, not registered, or do-not-disturb", should=("a phrase that names the cause",), may=("Retry-After",),
        q850="18 No user responding", ends="usage", failover="depends",
        failover_note="some carriers' customers expect it; after a phone that just rang, it rings twice",
        quirks="stands for many things: ring limit, absent mobile, no channel left; ISUP 19, 20 and 31 become it",
    ),
    Code(
        481, "Call/Transaction Does Not Exist", "call-transaction-does-not-exist",
        "RFC 3261 21.4.19, 9.2, 12.2.2, 15.1.2",
        "requests in a dialog, CANCEL, PRACK, NOTIFY", "the call drops", q850="41 Temporary failure", ends="usage",
        failover="no",
        quirks="to CANCEL it concerns only the CANCEL; to a refresh it means BYE; typical after a failover",
    ),
    Code(
        482, "Loop Detected", "loop-detected", "RFC 3261 21.4.20, 8.2.2.2, 16.3; RFC 5393 4", "any, mostly INVITE",
        "the call came back to where it had been", q850="25 Exchange routing error", ends="dialog",
        proxy="a forking proxy has to detect loops; a merged request's 482 should lose to any better answer",
        failover="depends", quirks="as merged request from a phone that is registered twice",
    ),
    Code(
        483, "Too Many Hops", "too-many-hops", "RFC 3261 21.4.21, 16.3", "any", "the call went round in circles",
        q850="25 Exchange routing error", ends="dialog", proxy="made for Max-Forwards 0", failover="depends",
        failover_note="a routing loop between the system and that carrier", quirks="Asterisk takes it as no answer",
    ),
    Code(
        484, "Address Incomplete", "address-incomplete", "RFC 3261 21.4.22; RFC 3578 3", "INVITE",
        "more digits are needed",
        should=("a phrase with more information",), q850="28 Invalid number format", ends="dialog",
        proxy="preferred within 4xx", failover="no", quirks="carriers use it for a wrong number format or prefix",
    ),
    Code(
        485, "Ambiguous", "ambiguous", "RFC 3261 21.4.23, 16.5", "INVITE", "the address fits several people",
        should=("Contact with the candidates, from a proxy",), q850="1 Unallocated number", ends="dialog",
        failover="no",
    ),
    Code(
        486, "Busy Here", "busy-here", "RFC 3261 21.4.24, 13.3.1.3", "INVITE",
        "busy on this device; others may still ring",
        may=("Retry-After", "Reason: Q.850;cause=17"), q850="17 User busy",
        proxy="the other branches ring on, and further targets may be tried", failover="no",
        failover_note="the callee is busy over any carrier",
        quirks="also for reject and do-not-disturb; some trunks send it at a channel limit, where failover is wanted",
    ),
    Code(
        487, "Request Terminated", "request-terminated", "RFC 3261 21.4.25, 9.2, 13.3.1, 15.1.2",
        "INVITE after CANCEL, BYE or Expires", "the caller hung up before the answer",
        proxy="the due final of a cancelled branch; never the answer to the CANCEL itself", failover="no",
        failover_note="without a CANCEL it is an error",
        quirks="some gateways send it unasked at a ring limit; a caller cannot rely on it and gives up after 64*T1",
    ),
    Code(
        488, "Not Acceptable Here", "not-acceptable-here", "RFC 3261 21.4.26, 13.3.1.3, 14.2", "INVITE, UPDATE",
        "no common codec", should=("Warning",), may=("SDP with what would be possible",),
        q850="by Warning, else 31 Normal, unspecified", failover="depends",
        failover_note="another carrier may support the codec",
        quirks="SRTP against plain RTP; to a re-INVITE for T.38 the call has to go on",
    ),
    Code(
        489, "Bad Event", "bad-event", "RFC 6665 8.3.2, 4.2.1; RFC 3903", "SUBSCRIBE, NOTIFY, PUBLISH",
        "a busy lamp or message lamp stays dark", must=("Allow-Events",), adds=(("Allow-Events", "presence, dialog"),),
        ends="usage",
    ),
    Code(
        491, "Request Pending", "request-pending", "RFC 3261 21.4.27, 14.1, 14.2; RFC 3311 5.2", "re-INVITE, UPDATE",
        "unseen: both sides asked at once, each tries again",
        failover_note="again after 2.1 to 4 s if it made the Call-ID, else after 0 to 2 s (14.1)",
        quirks="two B2BUAs that both refresh can do this for ever",
    ),
    Code(
        493, "Undecipherable", "undecipherable", "RFC 3261 21.4.28", "any with an S/MIME body",
        "the body could not be decrypted", may=("a body with the key to use",),
    ),
    Code(
        494, "Security Agreement Required", "security-agreement-required", "RFC 3329 2.3.1, 2.3.2",
        "any to the first hop",
        "the phone has to agree on protection first",
        must=("Security-Server", "Require: sec-agree, where the server starts the agreement"),
        may=("Proxy-Authenticate",),
        # A request that already agrees would not be answered with 494, so the server starts it here.
        adds=(("Security-Server", "tls;q=0.2, digest;q=0.1"), ("Require", "sec-agree")),
        quirks="seen in IMS access and on carriers' trunks",
    ),
    Code(
        499, "Unknown Client Failure", "unknown-client-failure", "RFC 3261 8.1.3.2", "INVITE",
        "in no registry: to be taken as 400", origin="test", failover="depends", failover_note="as 400",
    ),
)  # fmt: skip
