"""Entries for expectations: in words, and as mappings."""

from __future__ import annotations

from sip_harness.language.entries.entry import Entries, Entry

_BUSY = "devices: {desk: {answer: [ringing, 486]}}"

EXPECTED: Entries = {
    "CODE": Entry(
        "A response to the INVITE, by number or name. Naming a provisional response makes it due.",
        f"{_BUSY}\nexpect: {{alice: [ringing, busy-here]}}",
    ),
    "or": Entry("One of several codes.", f"{_BUSY}\nexpect: {{alice: [486 or 600]}}"),
    "from": Entry(
        "Whose response it is: a device's, or the `system`'s own.",
        f"{_BUSY}\nexpect: {{alice: [100 from system, 486 from desk]}}",
    ),
    "METHOD": Entry("A request.", f"{_BUSY}\nexpect: {{desk: [INVITE, ACK to 486]}}"),
    "ACK to": Entry("An ACK by what it acknowledges.", f"{_BUSY}\nexpect: {{desk: [INVITE, ACK to 486]}}"),
    "to": Entry(
        "A response to another request than the INVITE.",
        "devices: {desk: {answer: [486], on: {MESSAGE: [200]}}}\n"
        "calls: [{from: alice, to: bob, method: MESSAGE}]\nexpect: {alice: [200 to MESSAGE]}",
    ),
    "maybe": Entry("A message that may come here or stay out.", f"{_BUSY}\nexpect: {{alice: [maybe 180, 486]}}"),
    "never": Entry(
        "For the whole list: this device must get no request of a call; in a scenario without calls, no request "
        "at all.",
        "targets: {bob: {hunt: [desk, mobile]}}\n"
        "devices: {desk: {answer: [600]}, mobile: {answer: [ok]}}\n"
        "expect: {mobile: never}",
    ),
    "reached": Entry("For the whole list: this device must get an INVITE.", "expect: {desk: reached}"),
    "rfc3261": Entry(
        "For the whole `expect`: every caller and every device must get what a conforming proxy owes them for these "
        "answers (RFC 3261 16), whichever they are.",
        f"{_BUSY}\nexpect: rfc3261",
    ),
    "sends, gets": Entry(
        "An event, in `order`, `after` and triggers: an agent sends or gets a message.",
        "order: [desk sends 180, alice gets 180]",
    ),
    "first": Entry(
        "In `lose`: only so many messages of this kind.",
        "devices: {desk: {answer: [ok], lose: [first 2 INVITE]}}",
    ),
}

MORE: Entries = {
    "resent": Entry(
        "How the message must be sent again: `doubling` (by the timers of RFC 3261 17), `never`, or times that count "
        "from the first sending.",
        "devices: {desk: {answer: [silence]}}\n"
        "expect: {desk: [{INVITE: {resent: doubling}}]}\n"
        "calls: [{from: alice, to: bob, cancel: 3s}]",
    ),
}

GROUP: Entries = {
    "any order": Entry(
        "Messages that all must come, in whatever order.",
        "devices: {desk: {answer: [ringing]}}\n"
        "calls: [{from: alice, to: bob, cancel: 300ms}]\n"
        "expect: {desk: [INVITE, any order: [CANCEL, ACK to 487]]}",
    ),
}
