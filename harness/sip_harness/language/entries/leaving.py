"""Entries for how a message leaves and what is damaged on its way out: the same for responses and requests."""

from __future__ import annotations

from collections.abc import Callable

from sip_harness.language.entries.entry import Entries, Entry


def leaving(example: Callable[[str], str], on_a_stream: str, damaged: str, unheard: str = "") -> Entries:
    """`example` makes one of such words; `on_a_stream` is the one of `pieces`; `damaged` is a header that is damaged
    there, and `unheard` what has to be added if nobody then understands it."""
    return {
        "resend": Entry(
            "When it is sent again: a list of times that count from the first sending, or `never`.",
            example("resend: [500ms, 1500ms]"),
        ),
        "copies": Entry("How many times it is sent at once.", example("copies: 2")),
        "strip": Entry(
            "Headers that are taken out before it leaves, also those that no message may lack.",
            example("strip: Content-Length"),
        ),
        "duplicate": Entry("Headers that stand twice.", example("duplicate: CSeq") + unheard),
        "corrupt": Entry(
            "Headers whose values are damaged so that they cannot be read.", example(f"corrupt: {damaged}") + unheard
        ),
        "truncate": Entry("Only so many bytes of it are sent.", example("truncate: 40") + unheard),
        "pieces": Entry(
            "Where a stream cuts it: it is sent in several writes, each cut counted in bytes from the beginning.",
            on_a_stream,
        ),
    }
