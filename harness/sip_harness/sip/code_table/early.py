"""Rows of 1xx, 2xx and 3xx."""

from sip_harness.sip.code_table.row import Code

_REDIRECT = "a proxy may recurse into the Contacts, each URI once (RFC 3261 16.5); a 3xx kept as best loses them"
_HUNT_ENDS = "most gateways stop hunting once any provisional but 100 was seen"

ROWS = (
    Code(
        100, "Trying", "trying", "RFC 3261 21.1.1, 17.2.1, 8.2.6.1; RFC 4320 4.1",
        "INVITE; another request only when its answer takes longer than about 3.5 s",
        "inaudible: it only stops the retransmission of the request",
        must=("Timestamp, if the request had one",),
        proxy="goes one hop only: never forwarded, does not restart Timer C",
        failover_note="100 and then silence stops Timer B: only Timer C or a ring limit gets the call off a dead trunk",
        quirks="some carriers send nothing but 100 for 5 to 10 s; a To-tag in it is seen although it should have none",
    ),
    Code(
        180, "Ringing", "ringing", "RFC 3261 21.1.2, 13.3.1.1, 12.1.1", "INVITE",
        "the callee's phone rings; the caller's phone plays ringback by itself",
        must=("To with a tag", "Require: 100rel and RSeq, if sent reliably (RFC 3262 3)"),
        should=("Contact",), may=("Reason", "SDP for early media"),
        failover="no", failover_note=_HUNT_ENDS,
        quirks="with SDP it means ringback from the network; seen after 183; has to be repeated every minute",
    ),
    Code(
        181, "Call Is Being Forwarded", "call-is-being-forwarded", "RFC 3261 21.1.3", "INVITE",
        "the call is being diverted",
        must=("To with a tag",), may=("History-Info (RFC 7044)", "Diversion (RFC 5806)"),
        failover="no", failover_note=_HUNT_ENDS,
        quirks="a 180 with another To-tag often follows, from the place the call was diverted to",
    ),
    Code(
        182, "Queued", "queued", "RFC 3261 21.1.4; RFC 3841 9.1", "INVITE",
        "waiting in a queue, perhaps for minutes; the phrase may give the position",
        must=("To with a tag",),
        failover="no", failover_note=_HUNT_ENDS,
        quirks="a long queue has to send a provisional every minute, else proxies on the way give up after three",
    ),
    Code(
        183, "Session Progress", "session-progress", "RFC 3261 21.1.5, 8.1.3.2; RFC 3398 7.2.5", "INVITE",
        "early media: an announcement or ringback from the network",
        must=("To with a tag", "Require: 100rel and RSeq, if sent reliably (RFC 3262 3)"),
        may=("SDP", "P-Early-Media (RFC 5009)", "Reason"),
        failover="no", failover_note=_HUNT_ENDS,
        quirks="often comes with SDP, an announcement, and then a failure; FreeSWITCH then no "
        "longer rewrites the hangup cause",
    ),
    Code(
        189, "Unknown Provisional", "unknown-provisional", "RFC 3261 8.1.3.2", "INVITE",
        "in no registry: to be taken as 183", origin="test",
        must=("To with a tag",), failover="depends", failover_note="as any other provisional",
    ),
    Code(
        199, "Early Dialog Terminated", "early-dialog-terminated", "RFC 6228 5, 6", "INVITE with Supported: 199",
        "inaudible: the media of one branch can be let go while others still ring",
        must=("To with the tag of the dialog that ended", "Reason with the final code of that branch"),
        adds=(("Reason", 'SIP;cause=486;text="Busy Here"'),),
        proxy="a forking proxy that knows it makes one for each early dialog whose final it holds back",
        quirks="seldom implemented; not to be sent to a caller that does not list 199 in Supported",
    ),
    Code(
        200, "OK", "ok", "RFC 3261 21.2.1, 13.3.1.4, 10.3", "any", "answered",
        must=("To with a tag", "Contact (INVITE, and all bindings to REGISTER)", "SDP (INVITE)"),
        should=("Allow and Supported (INVITE)", "Date (REGISTER)"), may=("Accept",),
        proxy="each one to an INVITE is forwarded at once, even after another final; the other branches are cancelled",
        failover="no", failover_note="nothing in the signalling tells an answer from a false one",
        quirks="repeated until ACK, then BYE after 64*T1; voicemail and announcements answer with it too",
    ),
    Code(
        202, "Accepted", "accepted", "RFC 6665 8.3.1; RFC 3515 2.4.2; RFC 3428", "REFER, MESSAGE, old SUBSCRIBE",
        "taken over; the result comes later, if at all", origin="deprecated",
        must=("Contact, if it makes a dialog",),
        quirks="not made for SUBSCRIBE any more, but to be taken like 200",
    ),
    Code(
        204, "No Notification", "no-notification", "RFC 5839 7.1, 5.6", "SUBSCRIBE inside its dialog",
        "subscription renewed; nothing has changed, so no NOTIFY follows",
        must=("Expires",), adds=(("Expires", "3600"),),
        quirks="only valid within a dialog",
    ),
    Code(
        299, "Unknown Success", "unknown-success", "RFC 3261 8.1.3.2", "INVITE",
        "in no registry: to be taken as 200", origin="test",
        must=("To with a tag", "Contact (INVITE)", "SDP (INVITE)"),
        failover="depends", failover_note="as any other success",
    ),
    Code(
        300, "Multiple Choices", "multiple-choices", "RFC 3261 21.3.1, 13.3.1.2", "any, mostly INVITE",
        "usually unseen: the call goes on to one of the addresses in Contact",
        should=("Contact, one or more",), may=("a body with the list", "q and expires parameters"),
        adds=(("Contact", "<sip:first@{host}>;q=0.9, <sip:second@{host}>;q=0.5"),),
        proxy=_REDIRECT, failover="depends",
        failover_note="a redirect server that lists gateways wants them tried in order of q",
        quirks="least-cost routing engines answer every call with 300 or 302 and a list of gateways",
    ),
    Code(
        301, "Moved Permanently", "moved-permanently", "RFC 3261 21.3.2", "any, mostly INVITE",
        "the number has changed", should=("Contact",), adds=(("Contact", "<sip:moved@{host}>"),),
        proxy=_REDIRECT, failover="depends", failover_note="as 300",
        quirks="rare; a B2BUA that remembers it without being told to does harm",
    ),
    Code(
        302, "Moved Temporarily", "moved-temporarily", "RFC 3261 21.3.3; RFC 4458", "INVITE, REGISTER",
        "call forwarding, set at the phone", should=("Contact",), adds=(("Contact", "<sip:moved@{host}>"),),
        may=("Expires or an expires parameter", "Diversion", "History-Info", "Reason"),
        proxy=_REDIRECT, failover="depends", failover_note="as 300",
        quirks="many trunks drop the call instead of following; followed blindly it is a way to toll fraud",
    ),
    Code(
        305, "Use Proxy", "use-proxy", "RFC 3261 21.3.4", "any",
        "the callee wants to be called through the proxy in Contact",
        must=("Contact with the URI of the proxy",), adds=(("Contact", "<sip:{host}>"),),
        proxy="only a UAS makes it", failover="depends", quirks="as good as unused; seldom handled",
    ),
    Code(
        380, "Alternative Service", "alternative-service", "RFC 3261 21.3.5; 3GPP TS 24.229", "INVITE",
        "the phone may dial anew in another way, as an emergency or a circuit-switched call",
        must=("a body that describes the service",), may=("P-Asserted-Identity", "Contact"),
        body_type="application/3gpp-ims+xml",
        body='<?xml version="1.0" encoding="UTF-8"?>\n<ims-3gpp version="1"><alternative-service><type>emergency</type>'
        "<reason>emergency number</reason></alternative-service></ims-3gpp>\n",
        proxy="its body is forwarded untouched", failover="no",
        quirks="an IMS edge sends it for emergency numbers that the phone did not know as such",
    ),
    Code(
        399, "Unknown Redirect", "unknown-redirect", "RFC 3261 8.1.3.2", "INVITE",
        "in no registry: to be taken as 300", origin="test",
        failover="depends", failover_note="as 300",
    ),
)  # fmt: skip
