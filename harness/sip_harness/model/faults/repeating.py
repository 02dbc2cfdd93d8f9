"""Faults of timers, retransmissions and acknowledgements (RFC 3261 16.7, 17, 18; RFC 4320; RFC 6026)."""

from __future__ import annotations

from sip_harness.model.faults.fault import Fault

FAULTS = (
    Fault(
        "acknowledges-once",
        "sends one ACK for a failure and none when that comes again",
        "RFC 3261 17.1.1.2",
        "devices that repeat their last word for half a minute because one ACK was lost",
    ),
    Fault(
        "acknowledges-with-new-branch",
        "sends its ACK to a failure with another branch than the INVITE had",
        "RFC 3261 17.1.1.3",
        "stacks that make an ACK as they make any other request: the device goes on repeating its failure",
    ),
    Fault(
        "acknowledges-for-the-caller",
        "acknowledges an answer by itself before the caller has",
        "RFC 3261 13.2.2.4, 16.7 step 5",
        "proxies that treat all final responses alike",
    ),
    Fault(
        "gives-acks-new-branches",
        "passes the caller's ACK to an answer on with another branch each time that it comes",
        "RFC 3261 16.11",
        "proxies for which every ACK is a request that nobody has seen before",
    ),
    Fault(
        "sends-100-to-others",
        "answers 100 to MESSAGE, INFO and the like at once",
        "RFC 4320 4.1",
        "proxies that quiet every request with 100",
    ),
    Fault(
        "counts-from-the-first-ringing",
        "does not begin the ring limit anew when a device says that it is still ringing",
        "RFC 3261 16.7 step 2",
        "proxies whose Timer C is a limit for the whole call",
    ),
    Fault(
        "forwards-stray-failures",
        "passes on failures that belong to no transaction",
        "RFC 6026 8.10",
        "Kamailio 5.6 passes on any response with a Via of its own",
    ),
    Fault(
        "ignores-lost-connections",
        "waits its full time for a device whose connection has gone and that cannot be reached any more",
        "RFC 3261 16.9, 18.4",
        "proxies that look at a connection only when they have something to send",
    ),
    Fault(
        "gives-up-with-the-connection",
        "takes a device for dead as soon as the connection is gone on which it was called",
        "RFC 3261 18.1.1, 18.2.2",
        "stacks that end the transactions of a connection with it: a phone that has changed networks is not heard",
    ),
)
