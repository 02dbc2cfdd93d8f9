"""Faults of systems that follow redirections (RFC 3261 8.1.3.4, 16.5, 16.7 step 4)."""

from __future__ import annotations

from sip_harness.model.faults.fault import Fault

FAULTS = (
    Fault(
        "sends-redirected-calls-back",
        "follows a redirection to whoever has redirected the call",
        "RFC 3261 16.6 step 7, 8.1.3.4",
        "liblinphone pull request 145: the INVITE for the new address goes to the old one",
    ),
    Fault(
        "follows-redirects-in-circles",
        "follows a redirection to where the call has been before",
        "RFC 3261 16.5, 8.1.3.4",
        "two extensions that are forwarded to each other: a call that never ends, and every phone rings on and on",
    ),
    Fault(
        "follows-first-contact-only",
        "tries the best of the contacts that a redirection names and no other one after it",
        "RFC 3261 8.1.3.4",
        "PBXs that read one Contact: a list of routes whose first gateway is full",
    ),
    Fault(
        "waits-after-empty-redirect",
        "ends nothing when a redirection names nobody whom it can reach",
        "RFC 3261 16.7 step 6",
        "callers who hear nothing until a timer gives the call up",
    ),
    Fault(
        "follows-sips-in-the-clear",
        "follows a redirection to a SIPS URI without TLS",
        "RFC 3261 26.2.2, 19.1",
        "systems that look for the @ and what follows it",
    ),
    Fault(
        "takes-305-for-302",
        "calls the proxy that a phone names as if it were the one who is called",
        "RFC 3261 21.3.4",
        "systems that read the Contact of any 3xx in the same way: a proxy that is asked for itself",
    ),
    Fault(
        "follows-redirects-to-premium-numbers",
        "follows a redirection to whatever number a phone names, and its owner pays",
        "RFC 3261 16.5, 26.1: whom a call may go to is for the system to say, not for whoever holds a phone",
        "toll fraud: a phone with a weak password that forwards to +49 900",
    ),
    Fault(
        "keeps-uri-headers",
        "sends requests to URIs with what no Request-URI may have: headers behind a question mark, a method",
        "RFC 3261 16.6 step 2, 19.1.1",
        "forwarding with a Subject or Replaces in the Contact: the next server answers 400",
    ),
)
