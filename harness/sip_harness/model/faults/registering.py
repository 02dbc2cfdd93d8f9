"""Faults of registration, location and authentication (RFC 3261 10, 16.5, 22)."""

from __future__ import annotations

from sip_harness.model.faults.fault import Fault

FAULTS = (
    Fault(
        "forks-to-all-flows",
        "calls a phone by all of its flows at once",
        "RFC 5626 7",
        "phones with a connection to each of two edge proxies that see every call twice",
    ),
    Fault(
        "gives-up-with-one-flow",
        "takes a flow that has failed for the phone that cannot be reached",
        "RFC 5626 7",
        "phones that miss calls when one of two edge proxies is restarted, although the other one has them",
    ),
    Fault(
        "tries-other-flows-after-any-failure",
        "calls a phone that has refused once more, by another way",
        "RFC 5626 7",
        "busy phones that are asked again by every edge proxy",
    ),
    Fault(
        "keeps-any-number-of-contacts",
        "takes more contacts of a user than he may have",
        "RFC 3261 10.3: how many there may be is for the registrar to say, and this one has said it",
        "registrars that are filled by a phone which registers from a new port every minute: every call becomes a fork",
    ),
    Fault(
        "refuses-refreshes-when-full",
        "takes a contact that registers again for one more and refuses it, because there are as many as there may be",
        "RFC 3261 10.3 step 7, 10.2.4",
        "phones that drop off one after the other when their user has a phone too many",
    ),
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
        "forgets-min-expires",
        "refuses a registration that is too short without a word on how long it has to be",
        "RFC 3261 10.3 step 7, 21.4.17",
        "phones that ask for the same short time again and again",
    ),
    Fault(
        "refuses-to-unregister",
        "takes the lifetime of zero, which takes a contact back, for one that is too short",
        "RFC 3261 10.3 step 7",
        "registrars that compare two numbers: phones that cannot log off",
    ),
    Fault(
        "forgets-path",
        "sends calls straight to a contact that was registered through a proxy",
        "RFC 3327 5.3",
        "siphon-sip pull request 142: a phone behind an edge proxy is called at an address that leads nowhere",
    ),
    Fault(
        "takes-flows-from-any-hop",
        "registers a flow although the proxy next to the phone does not know what that is",
        "RFC 5626 6",
        "phones that believe in a flow which nobody keeps open",
    ),
    Fault(
        "keeps-contacts-of-an-instance",
        "keeps the contact of a phone that has registered anew from another port",
        "RFC 5626 6",
        "phones that ring twice, or once and into the void, after every restart",
    ),
    Fault(
        "strips-contact-parameters",
        "calls a contact without the parameters of its URI",
        "RFC 3261 16.6 step 2, RFC 8599 5.6.1",
        "push gateways that are not told whom to wake",
    ),
    Fault(
        "lists-one-contact-only",
        "answers a registration with the contacts that this very request has named",
        "RFC 3261 10.3 step 8",
        "registrars that keep one contact for each user, or believe so",
    ),
    Fault(
        "records-routes-of-registrations",
        "gives the Record-Route of a registration back in its answer",
        "RFC 3261 10.3",
        "servers that answer every request by one function",
    ),
    Fault(
        "refuses-registrations-with-603",
        "answers a registration that it does not accept with 603",
        "RFC 3261 10.3",
        "registrars that say the same as for a call which is not wanted",
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
