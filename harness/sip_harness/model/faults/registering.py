"""Faults of registration, location and authentication (RFC 3261 10, 16.5, 22)."""

from __future__ import annotations

from sip_harness.model.faults.fault import Fault

FAULTS = (
    Fault(
        "keeps-expired-contacts",
        "calls devices whose registration has run out",
        "RFC 3261 10.3 step 8, 16.5",
        "calls that wait for phones which were unplugged long ago",
    ),
    Fault(
        "ignores-unregistration",
        "keeps contacts that were taken back",
        "RFC 3261 10.3 step 7",
        "phones that ring after they have logged off",
    ),
    Fault(
        "takes-any-star",
        "removes all contacts for a star, whatever lifetime and other contacts come with it",
        "RFC 3261 10.3 step 6",
        "registrars that look for the star alone",
    ),
    Fault(
        "takes-old-registers",
        "carries out a REGISTER that was overtaken by a newer one",
        "RFC 3261 10.3 step 7",
        "registrars that keep no CSeq: a late refresh brings a phone back that has logged off",
    ),
    Fault(
        "registers-by-halves",
        "keeps the good contacts of a REGISTER that it refuses because of another one",
        "RFC 3261 10.3 step 7",
        "registrars that write every contact by itself",
    ),
    Fault(
        "registers-for-others",
        "lets everybody who has an account register for everybody else",
        "RFC 3261 10.3 step 4",
        "registrars that check the password and not whose it is; calls that are hijacked",
    ),
    Fault(
        "registers-foreign-domains",
        "accepts registrations for addresses of domains that are not its own",
        "RFC 3261 10.3 step 5",
        "registrars that read the user part alone",
    ),
    Fault(
        "ignores-q",
        "rings all devices at once, whatever preference they have",
        "RFC 3261 16.6",
        "proxies that read no q",
    ),
    Fault(
        "rings-one-phone-only",
        "rings only the device that registered first",
        "RFC 3261 16.5",
        "PBXs with one contact per extension",
    ),
    Fault(
        "challenges-with-401",
        "asks callers for credentials with 401, as if it were the one who was called",
        "RFC 3261 22.1",
        "PBXs that use one code for everything",
    ),
    Fault(
        "accepts-any-password",
        "lets everybody in who shows credentials at all",
        "RFC 3261 22.2, RFC 7616 3.4",
        "systems with a password check that was switched off for a test",
    ),
    Fault(
        "keeps-contacts-per-call-id",
        "keeps a contact twice that is registered again with another Call-ID",
        "RFC 3261 10.3 step 7, 16.5",
        "Kamailio's usrloc with matching_mode 1: a phone that was restarted is called twice",
    ),
)
