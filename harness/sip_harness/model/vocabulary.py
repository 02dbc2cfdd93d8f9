"""Words that scenarios, profiles and systems share: capabilities."""

from __future__ import annotations

GRANTED = {
    "6xx-for-all": "takes a 6xx of one device of a group for the word of all: no other one rings on or is tried",
    "best-response": "tells the caller the best of all final responses of a group, not the last one",
    "passes-headers": "passes on what one side says to the other besides a code: phrases, headers, bodies",
    "passes-requests": "passes requests within a call on (re-INVITE, UPDATE, INFO) and their responses back",
}
"""What every proxy does and a back-to-back user agent may do otherwise: a system has it unless its profile says that it
lacks it."""
CAPABILITIES = {
    "register": "accepts registrations of devices",
    "ring": "rings all devices of a user at once (parallel forking)",
    "hunt": "tries the devices of a user in turn (serial forking)",
    "mixed": "tries groups of devices in turn, each group at once",
    "min-expires": "refuses registrations that are too short and says how long they have to be",
    "max-contacts": "keeps two contacts of a user and refuses any more",
    "path": "keeps the Path of a registration and sends calls along it (RFC 3327)",
    "outbound": "knows the flows of user agents (RFC 5626)",
    "carriers": "routes to carriers in turn (trunks, gateways) and fails over",
    "stays-after-ringing": "tries no other carrier once one has said that it rings, or more",
    "overlap": "hands a number on that is longer than the one it knows carriers for, as it grows (overlap dialling)",
    "overload-control": "calls a carrier so much less as it says in its Via (RFC 7339)",
    "emergency": "tries every carrier for a call with the priority of those for help (RFC 7135)",
    "carrier-accounts": "routes to carriers in turn with an account at each, and answers their challenges",
    "session-timers": "limits a session to a few seconds and refreshes it (RFC 4028)",
    "probing": "asks carriers with OPTIONS whether they are there, and passes over those that are not",
    "damped-probing": "believes probes of a carrier only when three in a row say that it is gone, or back",
    "recursion": "follows redirections (3xx) itself instead of passing them on",
    "use-proxy": "sends a call by the proxy that a phone names (305) instead of passing that on",
    "bars-premium-numbers": "follows no redirection to a premium number",
    "diversion": "tells whom it forwards a call to for whom that was (Diversion, History-Info)",
    "voicemail-reason": "tells the mailbox at the end of a hunt why a call comes, and for whom it was (RFC 4458)",
    "announcements": "plays an announcement to a caller before a failure that has a Warning",
    "anonymous-rejection": "refuses calls of those who withhold their identity (RFC 5079)",
    "request-disposition": "does what callers ask of it: no fork, no CANCEL, no redirection, in sequence (RFC 3841)",
    "ended-dialogs": "tells callers who can read 199 that one of several devices has dropped out (RFC 6228)",
    "registers-at-carrier": "registers at carriers by itself and answers their challenges (a trunk client)",
    "backup-registrars": "registers at the next one of a list of carriers where one fails",
    "gives-accounts-up": "gives its accounts at carriers up when it is told to, while the carriers are still there",
    "hears-of-lost-connections": "takes a device that cannot be reached any more for one that said 503, at once",
    "digest": "challenges callers and registrations",
    "tcp": "speaks SIP over TCP",
    "tls": "speaks SIP over TLS",
    "ws": "speaks SIP over WebSocket",
    **GRANTED,
}
