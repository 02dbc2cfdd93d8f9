"""Entries for what a response or a request in full form can say."""

from __future__ import annotations

from sip_harness.language.entries.entry import Entries, Entry
from sip_harness.language.entries.leaving import leaving


def _busy(more: str) -> str:
    return f"devices: {{desk: {{answer: [486: {{{more}}}]}}}}"


def _info(more: str) -> str:
    return f"devices: {{desk: {{answer: [ok, send: {{INFO: {{{more}}}}}]}}}}"


_BODY = "A body; its length is counted. It needs a type."
_TYPE = "The content type of the body."

REQUEST: Entries = {
    "headers": Entry(
        "Headers besides its own or instead of them; a list of values makes several, an empty value leaves one out "
        "that it would have. `{uri of NAME}` stands for where another role is reached.",
        _info("headers: {X-Reason: test, Max-Forwards: null}"),
    ),
    "body": Entry(_BODY, _info("body: hello, type: text/plain")),
    "type": Entry(_TYPE, _info("body: Signal=5, type: application/dtmf-relay")),
    **leaving(_info, "devices: {desk: {answer: [ok, send: {INFO: {pieces: [10]}}], transport: tcp}}", "Contact"),
}

RESPONSE: Entries = {
    "reason": Entry(
        "The reason phrase instead of the registry's; an empty text for none.", _busy("reason: Line in use")
    ),
    "headers": Entry(
        "Headers besides its own; a list of values makes several, an empty value leaves one out that the code would "
        "carry by itself; without Content-Type there is no session description either. `{uri of NAME}` stands for "
        "where another role is reached: what dialling a target reaches, where a carrier listens, the address of a "
        "device that no target rings.",
        "targets: {bob: {ring: [desk]}, eve: {ring: [mobile]}}\n"
        "devices:\n"
        "  desk: {answer: [302: {headers: {Contact: '<{uri of eve}>', Warning: [399 a b, 399 a c]}}]}\n"
        "  mobile: {answer: [ok]}\n"
        "expect: {alice: [200 or 302], desk: [INVITE, ACK to 302], mobile: [maybe INVITE, maybe ACK, maybe BYE]}",
    ),
    "body": Entry(_BODY, _busy("body: hello, type: text/plain")),
    "type": Entry(_TYPE, _busy("body: hello, type: text/plain")),
    "to tag": Entry(
        "The To-tag instead of the dialog's own: a text, `other` for a new one, `none` for a response without.",
        _busy("to tag: other"),
    ),
    "branch": Entry("`other`: the branch in the topmost Via is not the request's.", _busy("branch: other")),
    "cseq": Entry("The method in the CSeq instead of the request's.", _busy("cseq: BYE")),
    "from": Entry("`other port`: it comes from a port that the system has not sent to.", _busy("from: other port")),
    "reliable": Entry(
        "`yes`: a provisional response that is sent reliably and waits for PRACK (RFC 3262).",
        "devices: {desk: {answer: [183: {reliable: yes}, wait 100ms, ok]}}",
    ),
    "media": Entry(
        "`tone` or `silence`: an SDP answer, and media from here on; in a 183 it is early media.",
        "devices: {desk: {answer: [183: {media: tone}, wait 500ms, 486]}}",
    ),
    **leaving(_busy, "devices: {desk: {answer: [486: {pieces: [10, 100]}], transport: tcp}}", "Via"),
}
