"""Entries for the keys of devices, carriers and calls."""

from __future__ import annotations

from sip_harness.language.entries.entry import Entries, Entry
from sip_harness.language.entries.leaving import leaving

_LOSE = (
    "Messages that never arrive at this agent, as if the network had lost them: all of a kind, or the `first` few. The "
    "stack answers and acknowledges nothing of what is lost."
)
_ON = (
    "What it answers to other requests, by method; `re-INVITE` is an INVITE within the call, `CANCEL` replaces the "
    "stack's own 200 and 487. A list of lists goes by the number of the request, or by what it says, as `answers` do."
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
        "The same, by attempt: the first list for the first INVITE, the last one, or that of `always`, for all that "
        "follow. A retry with credentials is no attempt of its own. Items with `when` are asked first and counted in "
        "none.",
        "devices: {desk: {answers: [[486], {when: {from: carol}, answer: [603]}, always: [ringing, ok]]}}\n"
        "calls: [{from: alice, to: bob}, {from: carol, to: bob}, {from: alice, to: bob}]",
    ),
    "registrar": Entry(
        "Accepts the registrations of the system: `yes`, all of them; `challenge`, those with the credentials of the "
        "account that the system has here; as a mapping, with an account and lifetimes of its own.",
        "carriers: {g1: {registrar: challenge}}\nwatch: 3s\nexpect: {g1: [REGISTER, REGISTER]}",
    ),
    "on": Entry(_ON, "devices: {desk: {answer: [ringing], on: {CANCEL: [481], OPTIONS: [[silence], [200]]}}}"),
    "lose": Entry(_LOSE, "devices: {desk: {answer: [ringing, 486], lose: [first 2 ACK]}}"),
    "listens": Entry(
        "`closed`: once it has taken its place its port is closed, and whoever sends there is told so (ICMP, RST). "
        "`never`: nobody can connect, and nobody is told: what knocks is dropped as by a firewall. Not for udp, where "
        "`silence` is all there is.",
        "carriers: {g1: {listens: never, transport: tcp}, g2: {answer: [ok]}}\n"
        "targets: {pstn: {hunt: [g1, g2]}}\n"
        "calls: [{from: alice, to: pstn}]\n"
        "expect: {g1: never, alice: [200 from g2]}",
    ),
    "transport": Entry(_TRANSPORT, "devices: {desk: {answer: [486], transport: tcp}}"),
    "stack": Entry(_STACK, "devices: {desk: {answer: [486], stack: wire}}"),
    "expires": Entry(
        "It registers for so long and does not do so again: a phone that was unplugged. Whole seconds.",
        "devices: {desk: {answer: [ok], expires: 1s}}\ncalls: [{from: alice, to: bob, at: 2s}]\n"
        "expect: {alice: [480], desk: never}",
    ),
}


def _calling(words: str) -> str:
    return f"calls: [{{from: alice, to: bob, {words}}}]"


CALL: Entries = {
    "from": Entry("Who calls: a name that no device has.", "calls: [{from: alice, to: bob}]"),
    "to": Entry("The target that is called.", "calls: [{from: alice, to: bob}]"),
    "cancel": Entry(
        "When the caller gives up with CANCEL: after a time, after an event, or a time after an event. One with "
        "headers of its own, as a Reason, is sent under `meanwhile`: `[after alice gets 180, send: "
        "{CANCEL: {headers: {...}}}]`.",
        "calls: [{from: alice, to: bob, cancel: 200ms after desk sends 180}]\ndevices: {desk: {answer: [ringing]}}",
    ),
    "hang up": Entry(
        "When the caller hangs up with BYE once the call is answered; without it, at once.",
        "calls: [{from: alice, to: bob, hang up: 300ms}]",
    ),
    "headers": Entry(
        "Headers that the request has besides its own or instead of them; a list of values makes several, an empty "
        "value leaves one out that it would have. A From without a tag gets one. `{uri}`, `{user}`, `{host}` and "
        "`{hostport}` stand for what the target has, `{run}` for a text that no other run has, and `{via}`, "
        "`{branch}`, `{sent-by}`, `{from}`, `{to}`, `{call-id}`, `{cseq}` and `{contact}` for its own; "
        "`{uri of NAME}` for where another role is reached.",
        "calls:\n"
        "  - {from: alice, to: bob, headers: {Subject: hello, X-Trace: [a, b], Max-Forwards: null}}\n"
        "  - {from: carol, to: bob, method: REGISTER, headers: {Contact: '<sip:{user}@127.0.0.1:9>'}}",
    ),
    "body": Entry(
        "A body, instead of the SDP offer of an INVITE; `type` is what it is.",
        "calls: [{from: alice, to: bob, method: MESSAGE, body: hello, type: text/plain}]",
    ),
    "type": Entry(
        "The content type of `body`.",
        "calls: [{from: alice, to: bob, method: MESSAGE, body: hello, type: text/plain}]",
    ),
    "at": Entry(
        "When the call is made, whatever other calls do: a time after the beginning, or after an event. Calls without "
        "it go in turn. As soon as one call has it, events count once for the whole run.",
        "calls: [{from: alice, to: bob}, {from: carol, to: bob, at: 100ms after desk sends 180}]",
    ),
    "early": Entry(
        "What the caller does between the first response that makes an early dialog and the final one: waits, requests "
        "within that dialog, bytes.",
        "calls: [{from: alice, to: bob, early: [wait 50ms, send UPDATE]}]",
    ),
    "as": Entry(
        "What it answers challenges with, instead of its own account: an account, or an agent whose account it uses, "
        "with that agent's address in From (and To of a REGISTER).",
        "calls:\n"
        "  - {from: alice, to: bob, as: {password: wrong}}\n"
        "  - {from: carol, to: bob, as: desk, method: REGISTER, headers: {Contact: '*', Expires: 0}}",
    ),
    "uri": Entry(
        "The Request-URI instead of the target's own; `{uri}`, `{user}`, `{host}` and `{hostport}` stand for what "
        "that has.",
        "calls: [{from: alice, to: bob, uri: 'sip:{user}@{hostport};user=phone'}]",
    ),
    "name": Entry("A name for the call, for reports.", "calls: [{from: alice, to: bob, name: first}]"),
    "stack": Entry(_STACK, "calls: [{from: alice, to: bob, stack: wire}]"),
    "transport": Entry(_TRANSPORT, "calls: [{from: alice, to: bob, transport: tcp}]"),
    "method": Entry(
        "Makes it a single request outside of a dialog instead of a call: any method, also one that nobody has ever "
        "registered. A REGISTER is for the caller's own address unless its To says another.",
        "calls: [{from: alice, to: bob, method: MESSAGE}, {from: carol, to: bob, method: TELEPORT}]",
    ),
    "bytes": Entry(
        "Its request as a file: sent as it is, whatever it holds, with the placeholders of `headers` filled in. What "
        "is an INVITE is a call with all that follows; anything else is over with its final response. A system that "
        "is not started here gets only bytes of which the harness can read where they lead.",
        "calls: [{from: alice, to: bob, bytes: odd.sip}]\nexpect: {alice: [483 to TELEPORT], desk: never}",
        {
            "odd.sip": "TELEPORT {uri} SIP/2.0\nVia: SIP/2.0/UDP {sent-by};branch={branch}\nFrom: {from}\nTo: {to}\n"
            "Call-ID: {call-id}\nCSeq: 1 TELEPORT\nMax-Forwards: 0\n\n"
        },
    ),
    "meanwhile": Entry(
        "What the caller does from its request on, whatever comes back, also when all is over: waits, `again`, `send "
        "CANCEL` at any time, bytes.",
        "calls: [{from: alice, to: bob, meanwhile: [wait 10ms, again, after alice gets 200, send CANCEL]}]",
    ),
    **leaving(
        _calling,
        "calls: [{from: alice, to: bob, pieces: [10, 100], transport: tcp}]",
        "Via",
        "\nexpect: {desk: never}",
    ),
    "then": Entry(
        "What the caller does from the answer on: waits, requests within the call, bytes, and hanging up, which it "
        "does at the end by itself. No step waits for the answer to a request unless it is told to: with "
        "`after alice gets 200 to INFO`, or a wait.",
        "calls: [{from: alice, to: bob, then: [wait 100ms, send INFO, after alice gets 200 to INFO, hang up]}]",
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

_RETRIED = "watch: 3s\nexpect: {g1: [REGISTER, REGISTER]}"


def _account(example: str) -> dict[str, Entry]:
    """What a challenge can say; `{}` in the example stands for it."""
    return {
        "user": Entry(
            "The user name that is asked for; without it, that of the account that the system has here.",
            example.replace("{}", "{user: line-7, password: secret}"),
        ),
        "password": Entry(
            "The password that is asked for; without it, that of the account that the system has here.",
            example.replace("{}", "{password: secret}"),
        ),
        "realm": Entry(
            "The realm; without it, the domain of that account.",
            example.replace("{}", "{password: secret, realm: carrier.example}"),
        ),
        "algorithm": Entry(
            "One or several of MD5 (default), SHA-256, SHA-512-256 and their `-sess` variants, the preferred one "
            "first: each is a challenge of its own.",
            example.replace("{}", "{password: secret, algorithm: [SHA-256, MD5]}"),
        ),
        "qop": Entry(
            "The quality: `auth` (default), `auth-int`, or `none` as before RFC 2617.",
            example.replace("{}", "{password: secret, qop: auth-int}"),
        ),
        "stale": Entry(
            "With `yes` the first right credentials are answered with `stale=true` and a fresh nonce, as where a nonce "
            "has a short life: whoever gets that may try once more.",
            example.replace("{}", "{password: secret, stale: yes}"),
        ),
    }


CHALLENGE: Entries = {
    "code": Entry(
        "401 (default), as user agents and registrars ask, or 407, as proxies do.",
        "devices: {desk: {answer: [challenge: {password: secret, code: 407}, ok]}}",
    ),
    **_account("devices: {desk: {answer: [challenge: {}, ok]}}"),
}

REGISTRAR: Entries = {
    **_account(f"carriers: {{g1: {{registrar: {{}}}}}}\n{_RETRIED}"),
    "challenge": Entry(
        "`yes`: with the account that the system has here.",
        f"carriers: {{g1: {{registrar: {{challenge: yes, expires: 60s}}}}}}\n{_RETRIED}",
    ),
    "expires": Entry(
        "The longest lifetime that it grants; without it, what is asked for.",
        "carriers: {g1: {registrar: {expires: 1s}}}\nwatch: until g1 gets 2 REGISTER\n"
        "expect: {g1: [REGISTER, REGISTER]}",
    ),
    "min expires": Entry(
        "The shortest lifetime that has to be asked for: less gets 423 with Min-Expires.",
        f"carriers: {{g1: {{registrar: {{min expires: 600s}}}}}}\n{_RETRIED}",
    ),
}

ACCOUNT: Entries = {
    "password": Entry("The password.", "calls: [{from: alice, to: bob, as: {password: wrong}}]"),
    "user": Entry(
        "The user name; without it, that of its own account.",
        "calls: [{from: alice, to: bob, as: {user: mallory, password: wrong}}]",
    ),
}

_BY_CASE = "devices: {desk: {answers: [{when: {from: alice}, answer: [603]}, always: [ok]]}}"
CASE: Entries = {
    "when": Entry("Which requests it is for: all that is said has to hold.", _BY_CASE),
    "answer": Entry("What they get.", _BY_CASE),
}
ALWAYS: Entries = {"always": Entry("What all requests get that no other item is for. It comes last.", _BY_CASE)}
WHEN: Entries = {
    "from": Entry("The caller whose account stands in From.", _BY_CASE),
    "user": Entry(
        "The user part of the Request-URI: as it is, or `/regular expression/`.",
        "devices: {desk: {answers: [{when: {user: /^00/}, answer: [603]}, always: [ok]]}}",
    ),
    "headers": Entry(
        "Headers, each `present`, `absent`, `/regular expression/`, or a whole value.",
        "devices: {desk: {answers: [{when: {headers: {Subject: /urgent/}}, answer: [ok]}, always: [486]]}}",
    ),
}
