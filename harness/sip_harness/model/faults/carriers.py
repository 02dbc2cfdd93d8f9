"""Faults of routing to carriers: failover, overload, probing (RFC 3261 21.5.4, RFC 3263 4.3)."""

from __future__ import annotations

from sip_harness.model.faults.fault import Fault

FAULTS = (
    Fault(
        "never-fails-over",
        "gives up with the first carrier whatever it said",
        "RFC 3261 21.5.4",
        "dsiprouter issue 532: a 5xx stops the failover",
    ),
    Fault(
        "fails-over-on-486",
        "tries the next carrier although the called one is busy",
        "RFC 3261 21.4.24",
        "ASTPP issue 419: the busy phone rings once per gateway",
    ),
    Fault(
        "fails-over-on-484",
        "tries the next carrier with a number that is not complete",
        "RFC 3261 21.4.22",
        "a call to half a number that goes through the whole list of carriers",
    ),
    Fault(
        "cuts-overlap-digits",
        "sends the number that it has a route for, without the digits behind it",
        "RFC 3261 16.5, 16.6 step 2, RFC 3578 3",
        "trunks with one number whose extensions cannot be dialled",
    ),
    Fault(
        "ignores-retry-after",
        "calls a carrier again that has asked to be left alone",
        "RFC 3261 21.5.4, 20.33",
        "OpenSIPS reads no Retry-After",
    ),
    Fault(
        "offers-no-overload-control",
        "does not tell carriers that they may say how much less they want",
        "RFC 7339 5.1",
        "most proxies: a carrier that is overloaded can only refuse call by call",
    ),
    Fault(
        "ignores-overload-control",
        "calls a carrier as much as ever that has said how much less it wants",
        "RFC 7339 5.5, 5.10.2",
        "proxies that announce what they do not do",
    ),
    Fault(
        "throttles-for-ever",
        "goes on calling a carrier less when the time is over for which it wanted that",
        "RFC 7339 4.3, 5.7",
        "throttles without a timer: a minute of overload costs a carrier its calls for good",
    ),
    Fault(
        "bans-after-503",
        "passes a carrier over for an hour after a 503 that did not ask for it",
        "RFC 3261 21.5.4",
        "blacklists that turn one refusal into an outage",
    ),
    Fault(
        "bans-after-refusal",
        "passes a carrier over for an hour after it has refused a call, whatever it said",
        "RFC 3261 21.5.4, 20.33",
        "trunks that are out of service because one caller was busy",
    ),
    Fault(
        "calls-dead-carriers",
        "calls carriers that do not answer its probes",
        "RFC 3261 11, RFC 3263 4.3: a carrier that probing has found dead is passed over",
        "dispatchers that probe and do not look at the result",
    ),
    Fault(
        "stays-with-the-backup",
        "passes a carrier over for good that did not answer its probes once",
        "RFC 3261 11, RFC 3263 4.3: a carrier that answers its probes again is there",
        "systems whose first carrier has no calls for days, until somebody restarts them",
    ),
    Fault(
        "flaps-with-every-probe",
        "believes every single probe although it is told to wait for several that say the same",
        "RFC 3261 11, RFC 3263 4.3: one lost datagram is no dead carrier",
        "trunks that go up and down every few seconds on a line with some loss",
    ),
    Fault(
        "takes-404-for-dead",
        "passes carriers over that answer its probes with a failure",
        "RFC 3261 11: whoever answers OPTIONS is alive",
        "dispatchers that want a 200; carriers that answer 404 or 403",
    ),
    Fault(
        "fails-over-after-ringing",
        "tries the next carrier although the last one has rung, against its own rule",
        "RFC 3261 16.6: which target is tried next is for the system to say, and this one has said it",
        "callers who hear ringing, an announcement, and ringing again",
    ),
    Fault(
        "bars-emergency-calls",
        "passes carriers over for calls for help, too",
        "RFC 7339 5.10.1",
        "overload control that was written without a thought of 112",
    ),
    Fault(
        "counts-any-answer-to-a-probe",
        "takes any response about OPTIONS or with the Call-ID of a probe for its answer",
        "RFC 3261 17.1.3",
        "probes without a transaction: a late answer, or one to somebody else, brings a dead carrier back",
    ),
    Fault(
        "ignores-icmp",
        "waits its full time for a device or carrier whose host has said by ICMP that nobody listens there",
        "RFC 3261 16.9, 18.4",
        "Kamailio 5.6 and others whose UDP sockets never ask for errors",
    ),
)
