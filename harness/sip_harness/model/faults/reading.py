"""Faults of reading what comes damaged, in odd dress, or from elsewhere (RFC 3261 7, 8.1, 17.1.3, 18; RFC 4475)."""

from __future__ import annotations

from sip_harness.model.faults.fault import Fault

FAULTS = (
    Fault(
        "takes-short-messages",
        "takes a response for whole whose body is shorter than its Content-Length says",
        "RFC 3261 18.3",
        "Kamailio 5.6, which looks at Content-Length on streams only",
    ),
    Fault(
        "takes-bad-requests",
        "carries requests out that are malformed: of another version, too short, with a CSeq that is none",
        "RFC 3261 16.3 step 1, 18.3",
        "Kamailio 5.6, which looks at little more than Via before it passes a request on",
    ),
    Fault(
        "forwards-surplus",
        "takes what stands behind the end of a body for a part of it",
        "RFC 3261 18.3",
        "systems for which the body is whatever the datagram has left",
    ),
    Fault(
        "takes-any-cseq",
        "takes responses whose CSeq number is no number that a request may have",
        "RFC 3261 8.1.1.5, 20.16",
        "Kamailio 5.6, which finds the transaction by the branch and passes the rest on as it came",
    ),
    Fault(
        "takes-any-code",
        "takes responses with codes of no class for failures",
        "RFC 3261 7.2, RFC 4475 3.1.2.19",
        "Kamailio 5.6, which relays a 799",
    ),
    Fault(
        "takes-any-version",
        "takes responses of any version of SIP",
        "RFC 3261 7.1, RFC 4475 3.1.2.16",
        "parsers that look for the letters SIP alone",
    ),
    Fault(
        "wants-upper-case",
        "drops responses whose version is not in upper case",
        "RFC 3261 7.1",
        "parsers that compare the first seven bytes",
    ),
    Fault(
        "needs-a-phrase",
        "drops responses whose reason phrase is empty",
        "RFC 3261 7.2",
        "parsers that want three words in the first line",
    ),
    Fault(
        "knows-no-compact-forms",
        "drops messages whose headers have their short names",
        "RFC 3261 7.3.3",
        "parsers that look for Via where v stands",
    ),
    Fault(
        "needs-a-to-tag",
        "drops final responses that have no To tag",
        "RFC 3261 12.1.2",
        "stacks that know no RFC 2543",
    ),
    Fault(
        "needs-what-codes-demand",
        "drops failures that lack the header which their code has to carry",
        "RFC 3261 8.1.3.2, 21.4",
        "stacks that cannot make an object of a 401 without a challenge: the call rings on",
    ),
    Fault(
        "knows-one-to-tag",
        "loses an answer whose To tag is another one than that of the ringing before it",
        "RFC 3261 13.2.2.4, 16.7 step 5",
        "systems that bind a call to the first tag they see: answers from behind another fork",
    ),
    Fault(
        "hears-known-ports-only",
        "drops responses that come from another port or host than the request went to",
        "RFC 3261 17.1.3, 18.1.1",
        "phones behind a NAT, and servers of many hosts, that nobody hears",
    ),
    Fault(
        "forwards-without-via",
        "passes a response on that names nobody whom it is for",
        "RFC 3261 16.7 step 3",
        "proxies that take their Via off and look no further",
    ),
    Fault(
        "stops-at-nul",
        "takes a NUL for the end of a message",
        "RFC 3261 7.4, 16.6 step 1",
        "parsers in C that keep messages as strings",
    ),
    Fault(
        "loses-large-messages",
        "never gets what needs more than one packet of UDP",
        "RFC 3261 18.1.1",
        "firewalls that drop all fragments but the first",
    ),
    Fault(
        "reads-one-message-a-segment",
        "takes every segment of a TCP stream for one message",
        "RFC 3261 18.3, 7.5",
        "home-made TCP transports: calls fail when messages are split or come together",
    ),
)
