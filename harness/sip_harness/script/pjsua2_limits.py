"""What the pjsua2 stack cannot carry out faithfully, and what it adds to responses by itself.

Pure: nothing here needs the library. The tables hold for pjproject 2.15.1 with an account that uses neither session
timers nor 100rel; tests compare them with the wire for every code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sip_harness.model.place import NOWHERE, Place
from sip_harness.model.scenario import Call, Device
from sip_harness.model.script import Script
from sip_harness.model.steps import HangUp, Send, Step
from sip_harness.script import pjsua2_beyond as beyond
from sip_harness.sip.message import COMPACT

ALLOW = "PRACK, INVITE, ACK, BYE, CANCEL, UPDATE, INFO, SUBSCRIBE, NOTIFY, REFER, MESSAGE, OPTIONS"
"""Value of the Allow header that the stack adds."""
SUPPORTED = "replaces, 100rel, norefersub"
"""Value of the Supported header that the stack adds."""
MAX_REASON = 1000
"""Bytes; reason phrases beyond some 4000 end the process."""
MAX_TEXT = 3500
"""Bytes of reason, headers and body together; a response of more than 4000 bytes is silently not sent."""

_ALWAYS = frozenset({"via", "from", "to", "call-id", "cseq", "content-length"})
"""In every response, copied or computed."""
_NOT_OWN = _ALWAYS | {"max-forwards", "content-type", "record-route"}
_OWN_VALUE = {"allow": ALLOW, "supported": SUPPORTED}
_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")
_CONTENT_TYPE = re.compile(rf"{_TOKEN.pattern}/{_TOKEN.pattern}(;{_TOKEN.pattern}={_TOKEN.pattern})*")
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_UNSENDABLE = re.compile("[\r\n\0\ud800-\udfff]")
_IN_INVITE = frozenset({"contact", "allow", "supported"})
_OFFER = 1000
"""Room for the SDP offer of an INVITE, bytes."""

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a script is not for this stack."""

    reason: str
    place: Place = NOWHERE

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}" if self.place != NOWHERE else self.reason


def stack_adds(code: int, earlier: Iterable[int] = ()) -> tuple[str, ...]:
    """Names of the headers that the stack adds to a response with this code to an INVITE with an SDP offer.

    Besides what every response has (Via, Record-Route, From, To, Call-ID, CSeq, Content-Length). `earlier` are the
    codes that the script has sent before in this attempt: what the stack has added to them stays. A Contact of the
    script's own takes the place of the stack's from 300 on; below 300 there would be two.
    """
    before = tuple(earlier)
    names = []
    if 101 <= code <= 399 or code == 485:
        names.append("Contact")
    if _is_18x(code) or 200 <= code <= 299 or code == 405 or any(map(_is_18x, before)):
        names.append("Allow")
    if 200 <= code <= 299:
        names.append("Supported")
    if code < 300 and (_brings_sdp(code) or any(map(_brings_sdp, before))):
        names.append("Content-Type")
    return tuple(names)


def obstacles(script: Script) -> list[Obstacle]:
    """Everything in a device's script that this stack cannot carry out faithfully; empty if there is nothing."""
    found = [o for attempt in script.lists for o in _in_attempt(attempt)]
    found += [Obstacle(*reason) for reason in beyond.in_script(script)]
    return found


def device_obstacles(device: Device, calls: Iterable[Call] = ()) -> list[Obstacle]:
    """Everything in a device or a carrier, its script and the calls that may reach it included, that this stack cannot
    carry out faithfully."""
    beyond_it = [*beyond.in_device(device), *beyond.in_visits(calls)]
    return [Obstacle(*reason) for reason in beyond_it] + obstacles(device.script)


def call_obstacles(call: Call) -> list[Obstacle]:
    """Everything in a caller's call that this stack cannot carry out faithfully."""
    found = list(_in_headers(call.headers))
    own = dict.fromkeys(n for n, _ in call.headers if _canonical(n) in _IN_INVITE)
    found += (f"it adds its own {name} to an INVITE" for name in own)
    if _size(call.headers) > MAX_TEXT - _OFFER:
        found.append(f"an INVITE with more than {MAX_TEXT - _OFFER} bytes of headers may not be sent at all")
    return [Obstacle(*reason) for reason in beyond.in_call(call)] + [Obstacle(reason, call.place) for reason in found]


def to_add(step: Send, earlier: Sequence[Send]) -> Headers:
    """The headers to hand to the stack so that this response has those of the step, each once.

    Left out are those that it adds by itself with the same value, and those that stay from the responses before.
    """
    adds = _adds(step, earlier)
    return tuple((n, v) for n, v in _new(step, earlier) if _canonical(n) not in adds or _canonical(n) == "contact")


def _in_attempt(steps: Sequence[Step]) -> Iterator[Obstacle]:
    sends: list[Send] = []
    for step in steps:
        if isinstance(step, HangUp):
            if not sends or not 200 <= sends[-1].code <= 299:
                yield Obstacle("it sends BYE only in a call that it has answered", step.place)
        elif isinstance(step, Send):
            yield from (Obstacle(reason, step.place) for reason in _in_send(step, sends))
            sends.append(step)
        elif reason := beyond.in_step(step):
            yield Obstacle(reason, step.place)


def _in_send(step: Send, earlier: Sequence[Send]) -> Iterator[str]:
    if not 100 <= step.code <= 699:
        yield f"it has no response {step.code}: codes go from 100 to 699"
        return
    if earlier and earlier[-1].code >= 200:
        yield f"it sends nothing more to an INVITE that it has answered with {earlier[-1].code}"
    if step.to:
        yield f"it sends no response to {step.to} in answer to something else"
    yield from beyond.in_delivery(step.how)
    yield from _in_reason(step.reason)
    yield from _in_body(step, earlier)
    yield from _in_headers(step.headers)
    yield from _staying(step, earlier)
    yield from _twice(step, earlier)
    for name in sorted({_canonical(n) for n in step.omit} & (_ALWAYS | _adds(step, earlier))):
        yield f"it cannot leave {name.title()} out of a {step.code}"
    if len(_bytes(step.reason)) + len(_bytes(step.body)) + _size(step.headers) > MAX_TEXT:
        yield f"a response with more than {MAX_TEXT} bytes of text may not be sent at all"


def _in_reason(reason: str) -> Iterator[str]:
    if not reason:
        yield "it puts a reason phrase of its own where there is none"
    if _UNSENDABLE.search(reason):
        yield "a reason phrase with a line end, a NUL or bytes that are no UTF-8"
    if len(_bytes(reason)) > MAX_REASON:
        yield f"a reason phrase of more than {MAX_REASON} bytes"


def _in_body(step: Send, earlier: Sequence[Send]) -> Iterator[str]:
    if step.body and "content-type" in _adds(step, earlier):
        yield f"it sends SDP of its own in a {step.code} and no other body"
    if step.body and not _CONTENT_TYPE.fullmatch(step.content_type):
        yield f"it does not send {step.content_type!r} as a content type"
    if _NO_TEXT.search(step.body):
        yield "a body with a NUL or bytes that are no UTF-8"
    before = earlier[-1] if earlier else step
    changed = (step.body, step.content_type) != (before.body, before.content_type)
    if before.body and changed and step.code < 300 and not _brings_sdp(step.code):
        yield f"the body of the {before.code} stays in the {step.code}"


def _in_headers(headers: Headers) -> Iterator[str]:
    for name, value in headers:
        if not _TOKEN.fullmatch(name):
            yield f"{name!r} is no header name"
        elif _UNSENDABLE.search(value):
            yield f"a value of {name} with a line end, a NUL or bytes that are no UTF-8"
        elif _canonical(name) in _NOT_OWN:
            yield f"it sends {name} as it sees fit"


def _staying(step: Send, earlier: Sequence[Send]) -> Iterator[str]:
    before = earlier[-1] if earlier else step
    if step.headers[: len(before.headers)] != before.headers:
        names = ", ".join(dict.fromkeys(n for n, _ in before.headers))
        yield f"headers of the {before.code} ({names}) stay in the {step.code}, which does not begin with them"


def _twice(step: Send, earlier: Sequence[Send]) -> Iterator[str]:
    """Headers that would stand there a second time, by the stack."""
    adds = _adds(step, earlier)
    added_before = _adds(earlier[-1], earlier[:-1]) if earlier else frozenset[str]()
    keys = [_canonical(n) for n, _ in step.headers]
    for index, (name, value) in enumerate(step.headers):
        key = keys[index]
        if key not in adds or key in _NOT_OWN:
            continue
        stays = index < len(step.headers) - len(_new(step, earlier))
        if key == "contact" and step.code >= 300:
            ok = name.lower() == key and not stays
        elif stays:
            ok = key in added_before
        else:
            ok = value == _OWN_VALUE.get(key) and keys.count(key) == 1
        if not ok:
            yield f"it adds its own {key.title()} to a {step.code}"


def _new(step: Send, earlier: Sequence[Send]) -> Headers:
    """The headers that do not stay from the response before."""
    return step.headers[len(earlier[-1].headers) :] if earlier else step.headers


def _adds(step: Send, earlier: Sequence[Send]) -> frozenset[str]:
    return frozenset(n.lower() for n in stack_adds(step.code, (s.code for s in earlier)))


def _is_18x(code: int) -> bool:
    return 180 <= code <= 189


def _brings_sdp(code: int) -> bool:
    return 182 <= code <= 189 or 200 <= code <= 299


def _canonical(name: str) -> str:
    low = name.lower()
    return COMPACT.get(low, low)


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _size(headers: Headers) -> int:
    return sum(len(_bytes(n)) + len(_bytes(v)) + 4 for n, v in headers)
