"""Entries for steps: in words, and as mappings."""

from __future__ import annotations

from sip_harness.language.entries.entry import Entries, Entry

STEPS: Entries = {
    "CODE": Entry(
        "Sends a response: a number, or the name that the registry's phrase gives (`busy-here` is 486; `sip-harness "
        "codes` lists them), perhaps with a reason phrase of its own. Headers that the code must carry are added. As a "
        "mapping, `{486: {...}}`, it says more: see below.",
        "devices: {desk: {answer: [ringing, 486 On the phone]}}",
    ),
    "CODE to METHOD": Entry(
        "In a reaction, answers another open request instead: `487 to INVITE` under `CANCEL`.",
        "devices: {desk: {answer: [ringing], on: {CANCEL: [200, wait 100ms, 487 to INVITE]}}}\n"
        "calls: [{from: alice, to: bob, cancel: 200ms}]",
    ),
    "wait": Entry(
        "Waits; milliseconds (`ms`), seconds (`s`) or minutes (`m`).",
        "devices: {desk: {answer: [ringing, wait 300ms, ok]}}",
    ),
    "after": Entry(
        "Waits until an agent has sent or got a message.",
        "targets: {bob: {ring: [desk, mobile]}}\n"
        "devices: {desk: {answer: [after mobile sends 180, 486]}, mobile: {answer: [ringing, ok]}}",
    ),
    "silence": Entry("Sends nothing at all, not even the 100.", "devices: {desk: {answer: [silence]}}"),
    "no 100": Entry(
        "Keeps the 100 back that the stack would send by itself.", "devices: {desk: {answer: [no 100, wait 1s, 486]}}"
    ),
    "hang up": Entry("Ends an answered call with BYE.", "devices: {desk: {answer: [ok, wait 300ms, hang up]}}"),
    "send": Entry(
        "Sends a request within the dialog; as a mapping with headers and a body. Under `meanwhile`, `send CANCEL`.",
        "devices: {desk: {answer: [ok, send re-INVITE, send: {INFO: {body: hello, type: text/plain}}]}}",
    ),
    "bytes": Entry(
        "Sends a file as it is; `{via}`, `{from}`, `{to}`, `{call-id}`, `{cseq}` and `{contact}` in it are filled in, "
        "and `{branch}` and `{sent-by}` of the topmost Via; `{more-vias}` are those below it, each behind a comma; "
        "`{run}` is a text that no other run has. The file lies in the directory of the scenario or below.",
        "devices: {desk: {answer: [ringing, bytes broken.sip]}}",
        {"broken.sip": "SIP/2.0 486 Busy Here\nVia: {via}\nCSeq: what\n\n"},
    ),
    "again": Entry(
        "Under `meanwhile`: sends the request of the call once more, byte by byte, whatever has become of it. As a "
        "mapping, `{again: {branch: other}}`, it is the same request on another branch, as if it had come another way.",
        "calls: [{from: alice, to: bob, meanwhile: [wait 100ms, again]}]",
    ),
    "challenge": Entry(
        "Goes on only if the request has the right digest credentials; else it gets 401 (or, as `challenge 407`, 407) "
        "with a fresh nonce and nothing more. The retry belongs to the same attempt. It comes first. A plain `401` is "
        "a refusal: callers show the account that they have at the system to nobody else.",
        "devices: {desk: {answer: [challenge 407, ringing, ok]}}",
    ),
    "close": Entry("Closes its connection.", "devices: {desk: {answer: [ringing, close], transport: tcp}}"),
    "reset": Entry("Resets its connection.", "devices: {desk: {answer: [ringing, reset], transport: tcp}}"),
    "half-open": Entry(
        "Lets its connection stand and never reads from it or writes to it again.",
        "devices: {desk: {answer: [ringing, half-open], transport: tcp}}",
    ),
    "unregister": Entry(
        "Takes the device's contact back: the system must not call it any more.",
        "devices: {desk: {answers: [[unregister, 486], [ok]]}}\n"
        "calls: [{from: alice, to: bob}, {from: alice, to: bob}]\n"
        "expect: {alice: [486, 480]}",
    ),
    "forward back": Entry(
        "Hands the call back to the system, to the number that was dialled, as a phone does that forwards to itself, "
        "or a carrier that routes in a circle; what comes of it goes back the same way.",
        "devices: {desk: {answer: [forward back]}}\n"
        "expect: {alice: [482], desk: [INVITE, 482 from system, ACK to 482]}",
    ),
}

WAIT: Entries = {"wait": Entry(STEPS["wait"].text, "devices: {desk: {answer: [ringing, wait: 300ms, ok]}}")}
AFTER: Entries = {
    "after": Entry(
        STEPS["after"].text,
        "targets: {bob: {ring: [desk, mobile]}}\n"
        "devices: {desk: {answer: [after: mobile sends 180, 486]}, mobile: {answer: [ringing, ok]}}",
    )
}
BYTES: Entries = {
    "bytes": Entry(STEPS["bytes"].text, "devices: {desk: {answer: [ringing, bytes: broken.sip]}}", STEPS["bytes"].files)
}
_TWICE = (
    "calls: [{from: alice, to: bob, meanwhile: [again: {branch: other}]}]\n"
    "devices: {desk: {answer: [ringing, 486], stack: wire}}"
)
AGAIN: Entries = {"again": Entry(STEPS["again"].text, _TWICE)}
REPEAT: Entries = {
    "branch": Entry(
        "`other`: a branch that nobody has seen. The responses to it are acknowledged as those of a fork.",
        _TWICE,
    )
}
SEND: Entries = {"send": Entry(STEPS["send"].text, "devices: {desk: {answer: [ok, send: UPDATE]}}")}
CHALLENGE: Entries = {
    "challenge": Entry(
        f"{STEPS['challenge'].text} The mapping names the account.",
        "devices: {desk: {answer: [challenge: {user: alice, password: secret}, ok]}}",
    )
}
