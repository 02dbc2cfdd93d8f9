"""Faults of handing messages on: headers, provisionals, retransmissions, hops (RFC 3261 16.3, 16.6, 16.7)."""

from __future__ import annotations

from sip_harness.model.faults.fault import Fault

FAULTS = (
    Fault(
        "never-retransmits",
        "sends a request that nobody answers only once",
        "RFC 3261 17.1.1.2",
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
        "answers-408-to-others",
        "answers 408 to OPTIONS, MESSAGE and the like when nobody else has answered",
        "RFC 4320 4.2",
        "Kamailio 5.6",
    ),
)
