"""Faults within calls that are up: refusals, overlaps, lost states, hanging up (RFC 3261 12.2, 14, 15; RFC 5057)."""

from __future__ import annotations

from sip_harness.model.faults.fault import Fault

BRIDGED = (
    Fault(
        "keeps-dead-calls",
        "keeps a call up although one side has said, or shown by its silence, that it knows nothing of it",
        "RFC 3261 12.2.1.2, RFC 5057 5.1",
        "calls that are billed for hours after a phone was restarted",
    ),
    Fault(
        "hangs-up-after-refusal",
        "ends a call because one side has refused a request within it",
        "RFC 3261 14.1, RFC 5057 5.1",
        "calls that are cut when one side cannot hold them or cannot send a fax",
    ),
    Fault(
        "repeats-refused-bye",
        "sends BYE again and again to a side that answers it with a failure",
        "RFC 3261 15.1.1",
        "floods of BYE to a phone that has been restarted and says 481 to each",
    ),
    Fault(
        "answers-overlap-with-491",
        "answers 491 instead of 500 to a side whose own INVITE is still open",
        "RFC 3261 14.2",
        "OpenSIPS b2b_entities before commit 881acb3",
    ),
    Fault(
        "ignores-glare",
        "passes an INVITE within the call on although it has one of its own under way to its sender",
        "RFC 3261 14.2",
        "calls without sound after both sides were put on hold at once",
    ),
    Fault(
        "takes-old-requests",
        "carries out a request within the call that a newer one has overtaken",
        "RFC 3261 12.2.2",
        "systems that keep no CSeq: a late re-INVITE puts the call on hold again",
    ),
    Fault(
        "leaves-re-invite-open",
        "answers nothing to a request that the end of the call has overtaken",
        "RFC 3261 15.1.2",
        "phones that show a call which is over until their timer ends",
    ),
    Fault(
        "hangs-up-before-ack",
        "sends BYE to a caller who has not acknowledged the answer yet",
        "RFC 3261 15",
        "PBXs that pass everything on at once: phones answer 481 and keep the call",
    ),
    Fault(
        "rings-on-after-early-bye",
        "answers a BYE that comes before any answer and lets the phones ring on",
        "RFC 3261 15.1.2",
        "phones that ring on after the caller has hung up",
    ),
    Fault(
        "acknowledges-re-invite-once",
        "does not acknowledge the answer to a re-INVITE again when that comes again",
        "RFC 3261 13.2.2.4, 14.1",
        "calls that are cut 32 s after they were put on hold because one ACK was lost",
    ),
    Fault(
        "sends-no-prack",
        "does not acknowledge provisional responses that ask for it",
        "RFC 3262 4",
        "carriers that wait for PRACK, send their 183 for half a minute and give up",
    ),
    Fault(
        "pracks-out-of-order",
        "acknowledges a provisional response before one that it has not got",
        "RFC 3262 4",
        "clients that look at the latest RSeq only: an offer in the lost response is never answered",
    ),
    Fault(
        "gives-up-at-422",
        "tells the caller of a 422 instead of asking for a longer session",
        "RFC 4028 7.3",
        "trunks on which no call goes out since the carrier has raised its Min-SE",
    ),
    Fault(
        "refreshes-no-session",
        "promises to refresh a session and does not",
        "RFC 4028 10",
        "calls that the carrier cuts after half an hour",
    ),
    Fault(
        "outlives-session",
        "keeps a call up whose session has run out",
        "RFC 4028 10",
        "calls that nobody is in any more and that are billed for days",
    ),
    Fault(
        "takes-any-prack",
        "answers 200 to a PRACK that acknowledges nothing",
        "RFC 3262 3",
        "callers who believe that their answer to an offer has arrived",
    ),
    Fault(
        "repeats-early-sdp",
        "sends the session of the first provisional response in the answer too, whatever that says",
        "RFC 3261 13.2.1, RFC 6337 3.1.1",
        "PBXs that remember the first SDP of a call: no sound after an announcement",
    ),
)
"""Of back-to-back user agents, which are at both ends of every call."""

SHARED = (
    Fault(
        "answers-within-the-call",
        "answers requests within the call with 200 by itself instead of passing them on",
        "RFC 3261 16.12, 14.2",
        "session border controllers that answer re-INVITEs themselves: one side holds, the other does not know",
    ),
    Fault(
        "drops-reason-of-bye",
        "leaves the Reason header of a BYE out",
        "RFC 3261 16.6, RFC 3326 2",
        "release causes that are lost on the way to billing",
    ),
)
"""Of proxies as well."""

FAULTS = (*BRIDGED, *SHARED)
