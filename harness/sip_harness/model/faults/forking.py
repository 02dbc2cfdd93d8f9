"""Faults of forks and hunts: who is called, and which response the caller gets (RFC 3261 16.7)."""

from __future__ import annotations

from sip_harness.model.faults.fault import Fault

FAULTS = (
    Fault(
        "forks-on-after-6xx",
        "treats a 6xx from one device like any other failure and lets the other devices ring on",
        "RFC 3261 16.7 step 5",
        "Kamailio with tm's disable_6xx_block; OpenSER 1.2",
    ),
    Fault(
        "hunts-on-after-6xx",
        "tries the next device or carrier after a 6xx",
        "RFC 3261 16.7 step 5",
        "Kamailio failure routes that do not ask for 6xx; jambonz sbc-outbound issue 198",
    ),
    Fault(
        "sends-6xx-at-once",
        "passes a 6xx on before the other devices have ended, and loses an answer that comes after it",
        "RFC 3261 16.7 step 5",
        "OpenSIPS, which does what RFC 2543 wanted",
    ),
    Fault(
        "sends-2xx-after-6xx",
        "passes a 6xx on at once and then the answer of another device as well",
        "RFC 3261 16.7 step 5",
        "proxies that relay each response as it comes: a caller who was told no is in a call",
    ),
    Fault(
        "one-486-ends-the-fork",
        "cancels every other device as soon as one answers 486",
        "RFC 3261 16.7 step 6, 21.4.24",
        "RestComm-Connect issue 720",
    ),
    Fault(
        "first-failure-wins",
        "passes the first failure on at once and does not wait for the other devices",
        "RFC 3261 16.7 step 6",
        "ring groups that give up with the first phone that refuses",
    ),
    Fault(
        "stops-hunting-at-486",
        "takes a busy device for the end of the hunt",
        "RFC 3261 21.4.24",
        "hunt groups that go on after no answer only",
    ),
    Fault(
        "last-leg-wins",
        "answers with the best response of the last group of a hunt instead of the best of all",
        "RFC 3261 16.7 step 6",
        "Kamailio's failure_reply_mode: 404, 486, 503 in turn end as 500",
    ),
    Fault(
        "prefers-5xx",
        "takes the highest class of the responses for the best",
        "RFC 3261 16.7 step 6",
        "proxies that let the last or the worst branch speak",
    ),
    Fault(
        "ranks-6xx-last",
        "takes a 6xx for the worst of all responses instead of the one that decides",
        "RFC 3261 16.7 step 6",
        "proxies that choose by the lowest number",
    ),
    Fault(
        "prefers-busy-to-challenge",
        "prefers whatever came first to a 401, 407, 415, 420 or 484",
        "RFC 3261 16.7 step 6",
        "callers who are never asked for the credentials that would have let them through",
    ),
    Fault(
        "timeout-masks-answer",
        "lets its own 408 for a dead device win over what another device said",
        "RFC 3261 16.7 step 6",
        "Kamailio's faked_reply_prio; siphon-sip issue 363",
    ),
    Fault(
        "maps-600-to-486",
        "tells the caller 486 where a device said 600",
        "RFC 3261 16.7 step 6",
        "Asterisk: hangup cause 17 stands for both",
    ),
    Fault(
        "leaks-503",
        "passes a 503 on, so that the caller takes the proxy itself for overloaded",
        "RFC 3261 16.7 step 6",
        "dsiprouter issue 338: the carrier in front tries again elsewhere",
    ),
    Fault(
        "one-challenge-only",
        "passes only one of several challenges on",
        "RFC 3261 16.7 step 7",
        "forks to two domains in which the caller can never satisfy both",
    ),
    Fault(
        "sends-second-final",
        "sends another final response after the one that ended the call",
        "RFC 3261 16.7 step 5, 17.2.1",
        "failure routes that answer once more",
    ),
    Fault(
        "swallows-second-2xx",
        "passes on only the first answer of a fork and loses all others",
        "RFC 3261 16.7 step 5",
        "phones that stay off-hook after two people picked up",
    ),
    Fault(
        "swallows-repeated-2xx",
        "passes an answer on once and loses what comes again of it",
        "RFC 6026 7.2, RFC 3261 13.3.1.4",
        "calls that are cut after 32 s because one ACK was lost",
    ),
    Fault(
        "holds-back-2xx",
        "passes an answer on only when all other devices have ended",
        "RFC 3261 16.7 step 5",
        "callers who hear ringing while the called one says hello",
    ),
    Fault(
        "forwards-stray-2xx",
        "passes on 2xx responses that belong to no transaction",
        "RFC 6026 8.10",
        "Kamailio 5.6 passes on any response with a Via of its own",
    ),
    Fault(
        "ghost-call",
        "tries the next device at the ring limit without waiting for the last one, and loses that one's answer",
        "RFC 3261 16.7 step 5, 16.8",
        "Kamailio, measured: two devices are in a call with one caller",
    ),
    Fault(
        "rings-for-ever",
        "never gives up a device that has said 100 or 180",
        "RFC 3261 16.8, 9.1",
        "proxies without Timer C: the caller listens to ringback until he gives up",
    ),
    Fault(
        "counts-second-finals",
        "takes a further final response of a device for its word",
        "RFC 3261 17.1.1.2",
        "proxies that read responses without a transaction: a phone that says 486 and then 603 silences all others",
    ),
    Fault(
        "passes-every-2xx-on",
        "passes on every success of a forked MESSAGE or OPTIONS, not only the first",
        "RFC 3261 16.7 step 5",
        "proxies that treat all requests as if they were calls",
    ),
    Fault(
        "calls-latecomers",
        "calls a phone that registers during a call as well, whatever was said until then",
        "RFC 3261 16.7 step 5",
        "push gateways that add every new contact to the open calls of its user",
    ),
    Fault(
        "ignores-max-breadth",
        "forks a request to more devices at once than it allows",
        "RFC 5393 5.3.3",
        "Kamailio 5.6 does not read Max-Breadth: forks of forks grow without bounds",
    ),
    Fault(
        "ignores-request-disposition",
        "forks, follows redirections and cancels as ever, whatever the caller asks of it",
        "RFC 3841 9.1",
        "most proxies: Request-Disposition goes through them like any header",
    ),
    Fault(
        "never-cancels-with-no-cancel",
        "lets the other devices ring on after a 6xx as well where the caller wants none cancelled by an answer",
        "RFC 3841 9.1, RFC 3261 16.7 step 5",
        "proxies that switch their CANCEL off as a whole",
    ),
    Fault(
        "tells-of-no-ended-dialog",
        "does not tell a caller who can read 199 that a device has dropped out",
        "RFC 6228 6",
        "most proxies: callers keep the media of dialogs that are gone",
    ),
    Fault(
        "sends-199-to-everybody",
        "sends 199 to callers who have not said that they can read it",
        "RFC 6228 6",
        "gateways that take any 18x or 199 for ringing",
    ),
)
