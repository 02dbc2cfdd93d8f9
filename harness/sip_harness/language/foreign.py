"""Words that authors bring from other tools and from the ladder, and how the language says the same."""

from __future__ import annotations

import re

from sip_harness.language.words import METHODS

_TIME = "time passes with 'wait 100ms'"
_NOT_SENT = "an answer lists what the device sends; what it has to get stands under 'expect'"
_NO_ANSWER = "a phone that says nothing at all answers [silence], one that rings and is never picked up [ringing]"
_UNSAID = "what is not named must not come: leave it out, or write 'never' for a device that nothing may reach"
_KEY_PRESSED = "a key is pressed with 'send: {INFO: {body: Signal=5, type: application/dtmf-relay}}'"
_REFER = "a call is transferred with 'send: {REFER: {headers: {Refer-To: \"<{uri of desk}>\"}}}'"
_GONE = "a phone that was unplugged has 'expires: 1s' and is called later than that, with 'at: 2s'"
_STEPS = {
    "sleep": _TIME,
    "pause": _TIME,
    "delay": _TIME,
    "timeout": _NO_ANSWER,
    "no answer": _NO_ANSWER,
    "no response": _NO_ANSWER,
    "no reply": _NO_ANSWER,
    "noanswer": _NO_ANSWER,
    "no-answer": _NO_ANSWER,
    "ignore": _NO_ANSWER,
    "nothing": _NO_ANSWER,
    "reject": "write what it rejects with: 486 (busy-here), 603 (decline), ...",
    "dtmf": _KEY_PRESSED,
    "digit": _KEY_PRESSED,
    "digits": _KEY_PRESSED,
    "transfer": _REFER,
    "hold": "a call is held with 'send: {re-INVITE: {body: ..., type: application/sdp}}' and a=sendonly in the body",
    "bye": "a call that was answered is ended with 'hang up'",
    "recv": _NOT_SENT,
    "receive": _NOT_SENT,
    "sip/2.0": "a response is written by its code: 180",
    "response": "a response is written by its code: 180",
}
_EXPECTED = {
    "optional": "what may come or stay out is written 'maybe 180'",
    "optionally": "what may come or stay out is written 'maybe 180'",
    "no": _UNSAID,
    "not": _UNSAID,
    "without": _UNSAID,
    "*": "provisional responses need not be named; any final response of a class is 4xx",
    "any": "provisional responses need not be named; any final response of a class is 4xx",
    "...": "provisional responses need not be named; a list is closed for all others",
    "sip/2.0": "a response is written by its code: 180",
}
_BEHIND = {
    "<-": "write 'from' and the device, as '486 from desk'",
    "->": "write 'from' and the device, as '486 from desk'",
    "by": "write 'from' and the device, as '486 from desk'",
    "twice": "write '2 times'",
    "again": "write '2 times'; retransmissions are none of them, those are 'resent'",
    "optional": "write 'maybe' before it",
    "(optional)": "write 'maybe' before it",
}
_ANSWER = "what it sends is 'answer: [ringing, busy-here]'"
_KEYS = {
    "offline": _GONE,
    "online": _GONE,
    "registered": _GONE,
    "register": _GONE,
    "unregistered": _GONE,
    "description": "say it in the title, or behind a '#'",
    "comment": "say it behind a '#'",
    "name": "a scenario has a 'title' and an 'id'",
    "scenario": "a scenario has a 'title' and an 'id'",
    "agents": "who answers is 'devices', who calls is named by 'from' in 'calls'",
    "phones": "write 'devices'",
    "callers": "who calls is named by 'from' in 'calls'",
    "recv": _ANSWER,
    "send": _ANSWER,
    "response": _ANSWER,
    "responses": _ANSWER,
    "reply": _ANSWER,
    "script": _ANSWER,
    "duration": "how long the call lasts is 'hang up: 3s'",
    "timeout": "when the caller gives up is 'cancel: 3s'",
    "caller": "write 'from'",
    "callee": "write 'to'",
    "delay": "let time pass with a step before it, as [ringing, wait 3s, 486]",
    "after": "let it wait with a step before it, as [after mobile sends 180, 486]",
    "sdp": "an answer has SDP by itself; 'body' and 'type' bring another",
    "code": "write the code as the key, as 486: {reason: ...}",
    "parallel": "devices that ring all at once are 'ring'",
    "simultaneous": "devices that ring all at once are 'ring'",
    "fork": "devices that ring all at once are 'ring', in turn 'hunt'",
    "serial": "devices that are tried in turn are 'hunt'",
    "sequential": "devices that are tried in turn are 'hunt'",
    "sequence": "devices that are tried in turn are 'hunt'",
    "failover": "what is tried in turn is 'hunt'",
}


def of_step(text: str, word: str) -> str:
    """Advice for a step that begins with this word; empty if there is none."""
    if re.fullmatch(r"[1-6](xx|[0-9]x)", word, re.IGNORECASE):
        return f"a step sends one code; for a case of every one write 'for: {{code: [{word}]}}' and {{code}} here"
    if word.upper() in METHODS and word.casefold() not in _STEPS:
        return f"{_NOT_SENT}; within a call it is 'send {word.upper()}'" if word.upper() not in _CALLS else _NOT_SENT
    return _STEPS.get(text.casefold(), "") or _STEPS.get(word.casefold(), "")


_CALLS = ("INVITE", "ACK", "CANCEL", "REGISTER")


def of_expected(word: str) -> str:
    """Advice for an expected message that begins with this word; empty if there is none."""
    return _EXPECTED.get(word.casefold(), "")


def behind_a_code(word: str) -> str:
    """Advice for a word behind the code of an expected response; empty if there is none."""
    return _BEHIND.get(word.casefold(), "")


def of_key(key: str) -> str:
    """Advice for a key that means something elsewhere, or was copied from a web page; empty if there is none."""
    if "\xa0" in key:
        return "it has a no-break space in it: write plain spaces"
    return _KEYS.get(key.casefold(), "")
