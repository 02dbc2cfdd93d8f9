"""Faults of back-to-back user agents, whose legs are calls of their own (RFC 3261 6, RFC 7092)."""

from __future__ import annotations

from sip_harness.model.faults.fault import Fault

FAULTS = (
    Fault(
        "new-to-tag-per-18x",
        "gives every provisional response a To-tag of its own, as if there were many dialogs",
        "RFC 3261 8.2.6.2",
        "softswitches that make up a tag whenever they build a response",
    ),
    Fault(
        "leaves-leg-up-after-bye",
        "answers the BYE of one side and tells the other side nothing",
        "RFC 3261 15.1.2",
        "PBXs whose channels are left in use after a hang-up",
    ),
    Fault(
        "acknowledges-no-2xx",
        "sends a device that has answered no ACK",
        "RFC 3261 13.2.2.4",
        "calls that are cut after 32 s because the device never learns that its answer arrived",
    ),
    Fault(
        "acknowledges-answers-once",
        "sends one ACK for an answer and none when that comes again",
        "RFC 3261 13.2.2.4",
        "calls that are cut after 32 s because one ACK was lost",
    ),
    Fault(
        "leaks-challenge",
        "passes a carrier's challenge on to the caller instead of answering it",
        "RFC 3261 22.2, 22.3",
        "phones that are asked for the password of a trunk which they do not know",
    ),
    Fault(
        "keeps-cseq-on-retry",
        "gives the INVITE with the credentials the CSeq number of the one without",
        "RFC 3261 22.2",
        "trunks that take the retry for a retransmission or a merged request",
    ),
    Fault(
        "takes-stale-for-refused",
        "gives up at a carrier that says only the nonce was stale",
        "RFC 7616 3.3",
        "calls that fail whenever the carrier's nonces run out",
    ),
    Fault(
        "answers-last-challenge",
        "answers the last of several challenges instead of the first that it can",
        "RFC 8760 2.4",
        "clients that overwrite one header with the next: a weaker algorithm is used",
    ),
    Fault(
        "tells-voicemail-nothing",
        "sends a call to the mailbox without whose it was and why it comes",
        "RFC 4458 2.1, 2.2",
        "mailboxes that ask the caller for a number",
    ),
    Fault(
        "tells-voicemail-no-answer",
        "tells the mailbox that nobody answered, whatever it was",
        "RFC 4458 2.2",
        "PBXs with one route to the mailbox: callers of a busy phone hear that nobody is there",
    ),
    Fault(
        "announces-nothing",
        "tells a caller the code of a failure and nothing more, although there is an announcement for it",
        "RFC 3261 20.43, 21.4.26",
        "callers who hear silence and call again and again",
    ),
    Fault(
        "loses-code-after-announcement",
        "ends a call in the same way after every announcement, whatever had been said",
        "RFC 3261 20.43, 13.3.1.3",
        "dialplans that play a file and hang up: trunks see 480 for everything",
    ),
    Fault(
        "tells-nobody-of-diversions",
        "forwards a call as if it had been for the new one from the beginning",
        "RFC 7044 9.2, 10.2, RFC 5806",
        "voicemail systems that ask for the number of the mailbox",
    ),
    Fault(
        "forgets-older-diversions",
        "tells only the last of several who have forwarded a call",
        "RFC 7044 9.2, 10.2, RFC 5806",
        "carriers that bill the wrong one of two who have forwarded a call",
    ),
    Fault(
        "ignores-expires",
        "lets an invitation ring on that has expired",
        "RFC 3261 13.3.1",
        "PBXs that do not read the Expires of a call",
    ),
)
