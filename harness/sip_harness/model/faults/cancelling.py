"""Faults of CANCEL and of the ACK that ends a cancelled call (RFC 3261 9, 16.10)."""

from __future__ import annotations

from sip_harness.model.faults.fault import Fault

FAULTS = (
    Fault(
        "forgets-cancel",
        "lets the other devices ring on after one has answered or has said 6xx",
        "RFC 3261 16.7 step 10",
        "phones that ring on after the call was taken elsewhere",
    ),
    Fault(
        "ignores-callers-cancel",
        "answers the caller's CANCEL and does not pass it on",
        "RFC 3261 16.10",
        "phones that ring on after the caller has hung up; siphon-sip issue 243",
    ),
    Fault(
        "cancels-before-1xx",
        "cancels a device that has not said anything yet",
        "RFC 3261 9.1",
        "devices that see the CANCEL first, answer 481, and then ring",
    ),
    Fault(
        "cancels-late",
        "sends its CANCEL much too late",
        "RFC 3261 16.7 step 10",
        "systems that collect CANCELs in a timer",
    ),
    Fault(
        "repeats-cancel",
        "sends a CANCEL again although it was answered",
        "RFC 3261 17.1.2.2",
        "kamailio issue 315: CANCEL to branches that have ended",
    ),
    Fault(
        "cancels-with-new-branch",
        "sends its CANCEL with another branch than the INVITE had",
        "RFC 3261 9.1",
        "devices that answer 481 and ring on",
    ),
    Fault(
        "acknowledges-no-487",
        "sends no ACK to the 487 of a cancelled device",
        "RFC 3261 17.1.1.3",
        "kamailio issue 4881; siphon-sip pull request 214",
    ),
    Fault(
        "relays-487-after-answer",
        "passes the 487 of a cancelled device on although the caller has an answer",
        "RFC 3261 16.7 step 5",
        "callers that see 200 and then 487",
    ),
    Fault(
        "swallows-2xx-after-cancel",
        "loses an answer that crosses the caller's CANCEL",
        "RFC 3261 16.7 step 5, 9.1",
        "livekit/sip pull request 756, siphon-sip issue 362",
    ),
    Fault(
        "delays-200-to-cancel",
        "answers the caller's CANCEL only when the devices have ended",
        "RFC 3261 16.10",
        "systems that treat CANCEL end to end",
    ),
    Fault(
        "cancels-what-has-ended",
        "passes a CANCEL on that comes after the final response",
        "RFC 3261 9.2, 16.10",
        "kamailio issue 315: CANCEL to branches that have ended",
    ),
    Fault(
        "accepts-any-cancel",
        "answers 200 to a CANCEL that belongs to nothing",
        "RFC 3261 9.2",
        "callers who believe that their call has been taken back",
    ),
    Fault(
        "challenges-cancel",
        "asks for credentials with a CANCEL, which cannot be sent again",
        "RFC 3261 22.1",
        "systems that challenge every request",
    ),
    Fault(
        "gives-up-after-481",
        "takes a 481 to its CANCEL for the end of the call at that device",
        "RFC 3261 16.7 step 6, 9.1",
        "systems that lose what a device says to the INVITE after it has not known the CANCEL",
    ),
    Fault(
        "drops-callers-reason",
        "passes a CANCEL on without the Reason that the caller gave",
        "RFC 3326 2",
        "phones that list a missed call although it was answered elsewhere",
    ),
    Fault(
        "cancels-by-branch-alone",
        "takes a CANCEL for that of a call which has the same branch, whoever sent it",
        "RFC 3261 17.2.3",
        "Kamailio 5.6 does not look at who sent it",
    ),
    Fault(
        "looks-up-for-cancel",
        "looks up where the user is once more for a CANCEL, and sends none to a phone that has logged off",
        "RFC 3261 16.10",
        "scripts that treat a CANCEL like a request of its own: the phone rings on",
    ),
    Fault(
        "cancels-other-requests",
        "sends a CANCEL for requests that are no INVITE",
        "RFC 3261 9.1",
        "proxies that treat all requests as if they were calls",
    ),
)
