"""Faults of what a system makes of who calls, and of what callers ask for (RFC 3323, RFC 3841, RFC 5079)."""

from __future__ import annotations

from sip_harness.model.faults.fault import Fault

FAULTS = (
    Fault(
        "takes-anonymous-calls",
        "puts calls through to a user who wants none of those who withhold their identity",
        "RFC 5079 3",
        "PBXs that look for the user anonymous and do not read Privacy",
    ),
    Fault(
        "takes-any-privacy-for-anonymous",
        "takes a caller for anonymous who has a Privacy header, even if that asks for no privacy",
        "RFC 3323 4.2, RFC 5079 3",
        "callers behind an SBC that adds Privacy: none to every call: nobody reaches the user",
    ),
    Fault(
        "says-603-to-anonymous-calls",
        "refuses anonymous calls as if the user had refused, everywhere and for good",
        "RFC 5079 5",
        "systems from before 433: callers are not told that they would only have to say who they are",
    ),
)
