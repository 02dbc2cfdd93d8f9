"""Entries for the keys of devices, carriers and calls."""

from __future__ import annotations

from sip_harness.language.entries.entry import Entries, Entry

_LOSE = (
    "Messages that never arrive at this agent, as if the network had lost them: all of a kind, or the `first` few. The "
    "stack answers and acknowledges nothing of what is lost."
)
_ON = (
    "What it answers to other requests, by method; `re-INVITE` is an INVITE within the call, `CANCEL` replaces the "
    "stack's own 200 and 487. A list of lists goes by the number of the request."
)
_TRANSPORT = "How it reaches the system: `udp` (default), `tcp`, `tls`, `ws` or `wss`."
_STACK = (
    "The stack that carries it out: `pjsua2` (a real user agent), `wire` (exact bytes, no media), or `auto`, which "
    "takes the one that can do what the script says."
)

DEVICE: Entries = {
    "answer": Entry(
        "What it does with every INVITE: steps, one after the other. After the last one it waits for what the other "
        "side does.",
        "devices: {desk: {answer: [ringing, wait 200ms, busy-here]}}",
    ),
    "answers": Entry(
        "The same, by attempt: the first list for the first INVITE, the last one for all that follow.",
        "devices: {desk: {answers: [[486], [ringing, ok]]}}\ncalls: [{from: alice, to: bob}, {from: alice, to: bob}]",
    ),
    "on": Entry(_ON, "devices: {desk: {answer: [ringing], on: {CANCEL: [481], OPTIONS: [[silence], [200]]}}}"),
    "lose": Entry(_LOSE, "devices: {desk: {answer: [ringing, 486], lose: [first 2 ACK]}}"),
    "transport": Entry(_TRANSPORT, "devices: {desk: {answer: [486], transport: tcp}}"),
    "stack": Entry(_STACK, "devices: {desk: {answer: [486], stack: wire}}"),
}

CALL: Entries = {
    "from": Entry("Who calls: a name that no device has.", "calls: [{from: alice, to: bob}]"),
    "to": Entry("The target that is called.", "calls: [{from: alice, to: bob}]"),
    "cancel": Entry(
        "When the caller gives up with CANCEL: after a time, after an event, or a time after an event.",
        "calls: [{from: alice, to: bob, cancel: 200ms after desk sends 180}]\ndevices: {desk: {answer: [ringing]}}",
    ),
    "hang up": Entry(
        "When the caller hangs up with BYE once the call is answered; without it, at once.",
        "calls: [{from: alice, to: bob, hang up: 300ms}]",
    ),
    "headers": Entry(
        "Headers that the INVITE has besides its own; a list of values makes several.",
        "calls: [{from: alice, to: bob, headers: {Subject: hello, X-Trace: [a, b]}}]",
    ),
    "name": Entry("A name for the call, for reports.", "calls: [{from: alice, to: bob, name: first}]"),
    "stack": Entry(_STACK, "calls: [{from: alice, to: bob, stack: wire}]"),
    "transport": Entry(_TRANSPORT, "calls: [{from: alice, to: bob, transport: tcp}]"),
    "method": Entry(
        "Makes it a single request outside of a dialog instead of a call.",
        "calls: [{from: alice, to: bob, method: MESSAGE}]",
    ),
    "then": Entry(
        "What the caller does from the answer on: waits, requests within the call, bytes, and hanging up, which it "
        "does at the end by itself.",
        "calls: [{from: alice, to: bob, then: [wait 100ms, send re-INVITE, wait 100ms, hang up]}]",
    ),
    "ack": Entry(
        "When the caller acknowledges a 200: `never`, after a time or after an event; without it, at once.",
        "calls: [{from: alice, to: bob, ack: 1200ms}]",
    ),
    "prack": Entry(
        "`never`: the caller leaves reliable provisional responses without PRACK.",
        "calls: [{from: alice, to: bob, prack: never}]",
    ),
    "on": Entry(_ON, "calls: [{from: alice, to: bob, on: {BYE: [481]}}]"),
    "expect": Entry(
        "What agents get in this one of several calls, as `expect` of the scenario has it for all of them.",
        "calls:\n"
        "  - {from: alice, to: bob, name: first}\n"
        "  - {from: alice, to: bob, name: second, expect: {alice: [200], desk: [INVITE, ACK, BYE]}}\n"
        "devices: {desk: {answers: [[486], [ok]]}}\n"
        "expect: {desk: reached 2 times}",
    ),
    "lose": Entry(_LOSE, "calls: [{from: alice, to: bob, lose: [first 2 200]}]"),
}
