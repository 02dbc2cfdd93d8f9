"""Faults of clients that register at a carrier (RFC 3261 10.2, 22.2; RFC 4320)."""

from __future__ import annotations

from sip_harness.model.faults.fault import Fault

FAULTS = (
    Fault(
        "hammers-after-403",
        "registers again and again after the carrier has refused it for good",
        "RFC 3261 21.4, 21.4.4",
        "PBXs banned by their carrier's intrusion detection",
    ),
    Fault(
        "ignores-min-expires",
        "asks for the same too short lifetime after a 423",
        "RFC 3261 10.2.8",
        "PBXs with a fixed registration interval",
    ),
    Fault(
        "answers-challenge-for-ever",
        "gives the credentials that have just been refused again, for every new challenge",
        "RFC 3261 22.2",
        "clients with a wrong password that fill the carrier's log",
    ),
    Fault(
        "answers-408-to-options",
        "answers the carrier's OPTIONS with 408",
        "RFC 3261 11.2, RFC 4320 4.2",
        "gateways that route OPTIONS like a call and time out",
    ),
    Fault(
        "retries-without-back-off",
        "tries a carrier that does not answer again in ever the same short time",
        "RFC 3261 10.2.7, 21.5.4; RFC 5626 4.5",
        "PBXs that multiply the load of a carrier that is coming up",
    ),
    Fault(
        "never-refreshes",
        "registers once and lets the registration run out",
        "RFC 3261 10.2.4",
        "trunks that take no calls an hour after every restart",
    ),
    Fault(
        "forgets-to-unregister",
        "goes without taking its contact back",
        "RFC 3261 10.2.2",
        "calls that ring nowhere after a PBX was moved",
    ),
    Fault(
        "knows-one-registrar-only",
        "asks the same registrar again where it is silent or says 503, whatever other ones it knows",
        "RFC 3263 4.3",
        "trunks that stay down for as long as one of the carrier's servers does",
    ),
    Fault(
        "takes-any-200",
        "takes itself for registered after a 200 that does not list its contact",
        "RFC 3261 10.2.4, 10.3 step 8",
        "trunks that are green and take no calls; pjproject pull request 2809 is about such a 200",
    ),
    Fault(
        "leaves-qop-out",
        "answers a challenge with qop as if there were none",
        "RFC 7616 3.4, RFC 3261 22.4 step 8",
        "sipdroid issue 33: registrars that refuse credentials without nc and cnonce",
    ),
    Fault(
        "adds-qop",
        "answers a challenge without qop as if it had one",
        "RFC 3261 22.4 step 8, RFC 2617 3.2.2",
        "rsipstack issue 22: registrars that know only the digest of RFC 2069",
    ),
    Fault(
        "counts-no-nonce-uses",
        "says that it uses a nonce for the first time whenever it does",
        "RFC 7616 3.4",
        "RestComm jain-sip issue 181: the second REGISTER is refused as a replay",
    ),
    Fault(
        "takes-a-new-nonce-for-refused",
        "gives up when a registrar that knew its credentials asks again with another nonce",
        "RFC 3261 22.2",
        "creytiv/re issue 223: registrars whose nonces run out and who do not say stale",
    ),
    Fault(
        "ignores-nextnonce",
        "goes on with the old nonce although the registrar has named the next one",
        "RFC 7616 3.5",
        "clients that do not read Authentication-Info: every refresh costs a challenge",
    ),
)
