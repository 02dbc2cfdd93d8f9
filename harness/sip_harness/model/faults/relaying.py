"""Faults of handing messages on: headers, provisionals, retransmissions, hops (RFC 3261 16.3, 16.6, 16.7)."""

from __future__ import annotations

from sip_harness.model.faults.fault import Fault

FAULTS = (
    Fault(
        "never-retransmits",
        "sends everything once, whoever does not answer or acknowledge it",
        "RFC 3261 17.1.1.2, 17.1.2.2, 17.2.1",
        "UDP transports that leave retransmission to the network",
    ),
    Fault(
        "sends-no-100",
        "does not answer an INVITE until a device does",
        "RFC 3261 17.2.1",
        "callers that send the INVITE again and again",
    ),
    Fault(
        "forwards-100",
        "passes the 100 of a device on",
        "RFC 3261 16.7 step 5",
        "home-made proxies that relay all they get",
    ),
    Fault(
        "swallows-ringing",
        "does not pass ringing on: the caller hears nothing",
        "RFC 3261 16.7 step 5",
        "systems that hold provisionals back until media flows",
    ),
    Fault(
        "swallows-183",
        "does not pass session progress on: announcements are lost",
        "RFC 3261 16.7 step 5",
        "systems without early media",
    ),
    Fault(
        "changes-to-tag",
        "gives the responses of a device To tags of its own",
        "RFC 3261 16.7 step 6",
        "calls whose ACK and BYE match no dialog",
    ),
    Fault(
        "drops-reason",
        "leaves the Reason header of a response out",
        "RFC 3261 16.7 step 9, RFC 3326",
        "carriers whose release cause is lost on the way",
    ),
    Fault(
        "keeps-one-reason",
        "passes only the first of several Reason values on",
        "RFC 3326 2, RFC 3261 16.7 step 9",
        "elixir-sippet issue 35: a parser that takes Reason for a header with one value",
    ),
    Fault(
        "drops-headers-of-requests",
        "passes only those headers of a request on that it knows",
        "RFC 3261 16.6 step 1",
        "session border controllers with a list of headers: calls without P-Asserted-Identity or Diversion",
    ),
    Fault(
        "consumes-foreign-credentials",
        "takes credentials out of a request that are for somebody behind it",
        "RFC 3261 22.3",
        "proxies that strip every Authorization: the phone behind them asks for ever",
    ),
    Fault(
        "answers-for-the-caller",
        "answers a phone's challenge with an account of its own",
        "RFC 3261 22.3",
        "proxies with one password for everything behind them",
    ),
    Fault(
        "drops-retry-after",
        "leaves the Retry-After header of a response out",
        "RFC 3261 16.7 step 9, 20.33",
        "callers that hammer a carrier which has asked for a pause",
    ),
    Fault(
        "drops-warning",
        "leaves the Warning header of a response out",
        "RFC 3261 16.7 step 9, 20.43",
        "488 without a word about which codec was meant",
    ),
    Fault(
        "drops-body",
        "passes failures on without their body",
        "RFC 3261 16.7 step 9",
        "systems that make every response anew",
    ),
    Fault(
        "drops-unknown-headers",
        "passes only those headers of a response on that it knows itself",
        "RFC 3261 16.7 step 9, 20",
        "systems with a list of headers: P-Early-Media and whatever carriers agree on is lost",
    ),
    Fault(
        "records-no-route",
        "does not stay in the path of the dialogs that it lets through",
        "RFC 3261 16.6 step 4: who has to see the end of a call records its route",
        "billing that never hears of BYE",
    ),
    Fault(
        "counts-no-hops",
        "passes Max-Forwards on as it came",
        "RFC 3261 16.6 step 3",
        "loops that end only when a router melts",
    ),
    Fault(
        "ignores-max-forwards",
        "passes requests on that must go no further",
        "RFC 3261 16.3 step 3",
        "the same",
    ),
    Fault(
        "adds-no-max-forwards",
        "passes a request that has no Max-Forwards on without one",
        "RFC 3261 16.6 step 3",
        "loops of requests whose sender has forgotten the header",
    ),
    Fault(
        "passes-retransmissions-on",
        "sends an INVITE on each time that its caller says it again",
        "RFC 3261 17.2.1",
        "systems without transactions towards their callers: every loss is multiplied",
    ),
    Fault(
        "refuses-unknown-methods",
        "answers requests of methods that it does not know with 501 instead of passing them on",
        "RFC 3261 16.3 step 1",
        "session border controllers with a list of methods",
    ),
    Fault(
        "tells-nothing-of-itself",
        "answers OPTIONS to itself without a word about what it can do",
        "RFC 3261 11.2",
        "200 as a keep-alive and nothing more",
    ),
    Fault(
        "refuses-merged-requests",
        "answers 482 to a request that it has already got on another branch, as only a user agent may",
        "RFC 3261 16.3 step 4, 8.2.2.2",
        "proxies that know requests by their Call-ID: calls that another proxy has forked",
    ),
    Fault(
        "forwards-loops",
        "does not notice that a request has come back",
        "RFC 5393 4.1, RFC 3261 16.3 step 4",
        "Kamailio without a loop check: messages double with every hop",
    ),
    Fault(
        "ignores-proxy-require",
        "passes requests on that ask for extensions it does not know",
        "RFC 3261 16.3 step 5",
        "Kamailio with the default configuration",
    ),
    Fault(
        "heeds-require",
        "refuses by itself what a request asks of the phone that is called",
        "RFC 3261 16.3 step 5, 20.32",
        "proxies that read Require, which is none of their business: 420 to callers who want PRACK or timers",
    ),
    Fault(
        "answers-408-to-others",
        "answers 408 to OPTIONS, MESSAGE and the like when nobody else has answered",
        "RFC 4320 4.2",
        "Kamailio 5.6",
    ),
    Fault(
        "strips-100rel",
        "passes a reliable provisional response on as an ordinary one",
        "RFC 3261 16.7 step 9",
        "systems without 100rel: a phone repeats its 183 until it gives the call up (RFC 3262 3)",
    ),
    Fault(
        "hops-per-attempt",
        "takes one more hop off for every further attempt of a hunt",
        "RFC 3261 16.6 step 3",
        "hunts whose last phones are never reached: 483",
    ),
    Fault(
        "calls-by-udp-only",
        "calls every device by UDP whatever its contact says",
        "RFC 3261 16.6 step 7, RFC 3263 4.1",
        "phones behind TCP that can call and never ring",
    ),
    Fault(
        "changes-bodies",
        "writes something of its own into the bodies of requests",
        "RFC 3261 16.6 step 1",
        "application layer gateways in routers that mend SDP which was right",
    ),
    Fault(
        "refuses-spirals",
        "takes a call that comes back for another number for a loop",
        "RFC 3261 16.3 step 4, RFC 5393 4.2.2",
        "proxies that refuse whatever has a Via of theirs: calls to a forwarded extension fail",
    ),
)
