"""Which steps may follow which: in an answer, in a reaction, and after the answer to a caller.

The wire stack carries out nearly everything, as it must: what is refused here has no meaning at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sip_harness.language.words import RE_INVITE
from sip_harness.model.steps import (
    After,
    Again,
    Challenge,
    Disconnect,
    ForwardBack,
    HangUp,
    NoTrying,
    Raw,
    Request,
    Send,
    Silence,
    Step,
    Unregister,
    Wait,
)

_SILENCE = "'silence'"
_FORWARD = "'forward back'"
_NO_100 = "write 'no 100' for a device that answers late and without a 100"
_MEANWHILE = (Wait, After, Again, Raw, Disconnect)
Wrong = tuple[str, str]
"""What is wrong with a step and what to do about it."""
Misplaced = tuple[int, str, str]
"""Index of a step and what is wrong with it; the index is negative if there is no step at all."""


@dataclass
class _Course:
    """What has been done when it is a step's turn."""

    said: bool = False
    """Whether anything has been sent in answer, or will never be."""
    begun: bool = False
    """Whether anything has been sent or let pass."""
    early: bool = False
    """Whether a response has made a dialog (RFC 3261 12.1)."""
    final: Send | None = None
    """The final response before."""
    answered: bool = False
    """Whether there has been a 2xx."""
    unknown: bool = False
    """Whether bytes were sent as they stand: they may have been anything."""
    hung_up: str = ""
    """The step that ended the call with BYE."""
    over: str = ""
    """The step after which there is nothing more to do."""

    def take(self, one: Step) -> None:
        self.said = self.said or isinstance(one, (Send, Raw, Silence))
        self.begun = self.begun or not isinstance(one, NoTrying)
        self.unknown = self.unknown or isinstance(one, Raw)
        if isinstance(one, HangUp) or (isinstance(one, Request) and one.method == "BYE"):
            self.hung_up = "'hang up'" if isinstance(one, HangUp) else "a BYE"
        if isinstance(one, Send) and not one.to:
            self.early = self.early or 101 <= one.code <= 299
            self.answered = self.answered or 200 <= one.code <= 299
            self.final = one if one.code >= 200 else self.final
        elif isinstance(one, Silence):
            self.over = _SILENCE
        elif isinstance(one, Disconnect) and one.kind == "close":
            self.over = "'close'"
        elif isinstance(one, ForwardBack):
            self.over = _FORWARD


def misplaced(steps: Sequence[Step]) -> Misplaced | None:
    """The first step of an answer that cannot stand where it stands, or None."""
    if not steps:
        return -1, "an answer needs at least one step", "write 'silence' for a device that never answers"
    return _first(steps, lambda one, course: _in_all(one, course) or _in_answer(one, course)) or _idle_end(steps)


def misplaced_in_reaction(method: str, steps: Sequence[Step], *, caller: bool) -> Misplaced | None:
    """The same for the reaction of a device or a caller to a request; `method` as a reaction names it."""
    if not steps:
        return -1, "a reaction needs at least one step", "write 'silence' to leave the request unanswered"

    def wrong(one: Step, course: _Course) -> Wrong | None:
        return _in_all(one, course) or _in_reaction(one, method, caller=caller)

    late = _NO_100 if method == RE_INVITE else "leave it out: nothing goes out before the first response anyway"
    return _first(steps, wrong, late) or _idle_end(steps)


def misplaced_in_call(steps: Sequence[Step]) -> Misplaced | None:
    """The same for what a caller does from the answer on."""
    if not steps:
        return -1, "'then' needs at least one step", "leave it out for a call that is hung up at once"
    return _first(steps, _in_call)


def misplaced_before_answer(steps: Sequence[Step]) -> Misplaced | None:
    """The same for what a caller does from the first early dialog on."""
    if not steps:
        return -1, "'early' needs at least one step", "leave it out for a caller that only waits"
    return _first(steps, _before_answer)


def _first(
    steps: Sequence[Step], wrong: Callable[[Step, _Course], Wrong | None], late: str = _NO_100
) -> Misplaced | None:
    """`late` advises an author who wants an answer after silence."""
    course = _Course()
    for index, one in enumerate(steps):
        if course.over and not (course.over == _FORWARD and isinstance(one, (Unregister, Wait, After))):
            answers = course.over == _SILENCE and isinstance(one, (Send, Wait, After))
            return index, f"nothing can follow {course.over}", late if answers else ""
        if course.hung_up and not isinstance(one, (Wait, After, Raw, Disconnect)):
            return index, f"nothing can follow {course.hung_up}", ""
        if found := _early(one) or wrong(one, course):
            return index, *found
        course.take(one)
    return None


def misplaced_meanwhile(steps: Sequence[Step]) -> Misplaced | None:
    """The same for what a caller does from its request on."""
    if not steps:
        return -1, "'meanwhile' needs at least one step", "leave it out for a caller that only waits"
    for index, one in enumerate(steps):
        if not (isinstance(one, _MEANWHILE) or (isinstance(one, Request) and one.method == "CANCEL")):
            hint = "requests within a dialog stand under 'early' and 'then', answers to requests under 'on'"
            return index, "'meanwhile' has waits, 'again', 'send CANCEL', bytes and broken connections", hint
    return None


def _early(one: Step) -> Wrong | None:
    """What only a caller does, and only by the side of its first request."""
    if isinstance(one, Again):
        return "'again' repeats the request that begins a call", "put it under 'meanwhile' of that call"
    if isinstance(one, Request) and one.method == "CANCEL":
        hint = "a call has 'cancel: 100ms', and 'meanwhile: [send CANCEL]' for one that breaks the rules"
        return "a CANCEL is no request within a dialog", hint
    return None


def _in_all(one: Step, course: _Course) -> Wrong | None:
    """What holds for answers and reactions."""
    if isinstance(one, NoTrying) and course.begun:
        return "'no 100' comes first, or the 100 is out already", ""
    if isinstance(one, Challenge) and course.said:
        return "'challenge' comes before every response", "put it first: what follows it is for the right credentials"
    if course.final is None:
        return None
    if isinstance(one, Silence):
        return f"'silence' cannot follow {course.final}: that is an answer", ""
    if isinstance(one, Send) and one.code < 200 and not one.to:
        hint = f"for a late one send it again: {one.code}: {{resend: [500ms]}}"
        return f"a provisional response cannot follow {course.final}: it is a final response", hint
    return None


def _in_answer(one: Step, course: _Course) -> Wrong | None:
    if isinstance(one, Send) and one.to:
        return f"'to {one.to}' is for reactions: an answer answers the INVITE", f"write {one.code}"
    ended = course.final is not None and not course.answered
    if isinstance(one, ForwardBack) and course.final is not None:
        return f"{_FORWARD} cannot follow {course.final}: the call is answered", ""
    if isinstance(one, HangUp) and not (course.answered or course.unknown):
        if ended:
            return f"{course.final} ends the call: nothing is left to hang up", ""
        return "only an answered call can be hung up", "put a 2xx before it, as 'ok'"
    if isinstance(one, Request) and not course.unknown:
        if ended:
            return f"{course.final} ends the call: no request can follow within it", ""
        if not course.early:
            return f"{one} needs a dialog, and there is none yet", "put a response from 101 to 299 before it"
    return None


def _in_reaction(one: Step, method: str, *, caller: bool) -> Wrong | None:
    if isinstance(one, NoTrying) and method != RE_INVITE:
        return f"'no 100' is for INVITEs: {method} gets no 100 by itself", ""
    if isinstance(one, Challenge) and method == "CANCEL":
        return "a CANCEL cannot be challenged: nobody may send it again (RFC 3261 22.1)", ""
    if isinstance(one, ForwardBack):
        return f"{_FORWARD} is for calls: a {method} goes no further", "put it into 'answer'"
    if isinstance(one, Unregister) and caller:
        return "a caller has not registered", ""
    if isinstance(one, HangUp) and method == "BYE":
        return "a call that gets BYE is over: nothing is left to hang up", ""
    if not isinstance(one, Send):
        return None
    if one.to and (method == RE_INVITE or (caller and method != "CANCEL")):
        itself = "the INVITE that is pending here is this one"
        why = itself if method == RE_INVITE else "a caller has made the INVITE itself"
        return f"'to {one.to}' is out of place: {why}", f"write {one.code}"
    if not one.to and method != RE_INVITE and (one.how.reliable or one.how.media):
        word = "sent reliably (RFC 3262 3)" if one.how.reliable else "the beginning of media"
        return f"a response to {method} is never {word}", "only one to an INVITE is"
    return None


def _in_call(one: Step, course: _Course) -> Wrong | None:
    if isinstance(one, (ForwardBack, Unregister)):
        return "this is for devices: a caller gets no calls and has not registered", ""
    if isinstance(one, (Send, Silence, NoTrying, Challenge)):
        hint = "what it answers to requests stands under 'on', as 'on: {BYE: [481]}'"
        return "a caller has nothing to answer here: 'then' is what it sends from the answer on", hint
    return None


def _before_answer(one: Step, course: _Course) -> Wrong | None:
    if isinstance(one, HangUp):
        return "only an answered call can be hung up", "give the call 'cancel: ...'"
    return _in_call(one, course)


def _idle_end(steps: Sequence[Step]) -> Misplaced | None:
    """A wait at the end of what is answered already."""
    last = steps[-1]
    if isinstance(last, (Wait, After)) and any(isinstance(one, Send) and one.code >= 200 for one in steps):
        return len(steps) - 1, "no step follows this one: it does nothing", ""
    return None
