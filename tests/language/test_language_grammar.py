"""Sentences of the language, word by word."""

from __future__ import annotations

import pytest

from sip_harness.language import grammar
from sip_harness.language.answers import step
from sip_harness.language.diagnostics import Mistake
from sip_harness.language.expected import expected
from sip_harness.language.names import Names
from sip_harness.language.source import File, Text
from sip_harness.language.words import code_set, duration, whole
from sip_harness.model.pattern import Event, RequestPattern, ResponsePattern, Trigger
from sip_harness.model.place import NOWHERE, Place
from sip_harness.model.steps import After, Disconnect, HangUp, NoTrying, Request, Send, Silence, Wait
from sip_harness.model.wanted import Expected

NAMES = Names(devices=("desk", "mobile"), callers=("alice",), targets=("bob",))


def text(words: str) -> Text:
    return Text(words, File("f", words))


def refused(parse: object, words: str) -> tuple[str, str, str]:
    """Message, hint and the characters under the caret."""
    assert callable(parse)
    with pytest.raises(Mistake) as caught:
        parse(text(words), NAMES)
    found = caught.value.diagnostic
    source, carets = found.excerpt.split("\n")
    begin, end = carets.index("^"), carets.rindex("^") + 1
    assert found.place.column == begin - source.index("|") - 1
    return found.message, found.hint, source[begin:end]


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("0ms", 0.0),
        ("100ms", 0.1),
        ("300ms", 0.3),
        ("2s", 2.0),
        ("1.5s", 1.5),
        (".5s", 0.5),
        ("1m", 60.0),
        ("60m", 3600.0),
    ],
)
def test_duration(words: str, seconds: float) -> None:
    assert duration(text(words).all) == seconds


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ("100", "'100' has no unit", "write 100ms, 100s or 100m"),
        ("1.5", "'1.5' has no unit", "write 1.5ms, 1.5s or 1.5m"),
        ("2sec", "unknown unit 'sec'", "did you mean '2s'?"),
        ("2S", "unknown unit 'S'", "did you mean '2s'?"),
        ("3h", "unknown unit 'h'", "units are ms, s and m"),
        ("-1s", "a duration cannot be negative", ""),
        ("61m", "'61m' is longer than an hour", "milliseconds are 'ms', minutes 'm'"),
        ("1e3s", "'1e3s' is no duration", "write it like 100ms, 2s, 1.5s or 1m"),
        ("soon", "'soon' is no duration", "write it like 100ms, 2s, 1.5s or 1m"),
        ("١s", "'١s' is no duration", "write it like 100ms, 2s, 1.5s or 1m"),
        ("9" * 5000, f"'{'9' * 59}…' is no duration", "write it like 100ms, 2s, 1.5s or 1m"),
    ],
)
def test_no_duration(words: str, message: str, hint: str) -> None:
    with pytest.raises(Mistake) as caught:
        duration(text(words).all)
    assert (caught.value.diagnostic.message, caught.value.diagnostic.hint) == (message, hint)


@pytest.mark.parametrize(
    ("word", "codes"),
    [
        ("486", {486}),
        ("busy-here", {486}),
        ("busy-everywhere", {600}),
        ("499", {499}),
        ("6xx", set(range(600, 700))),
        ("1XX", set(range(100, 200))),
        ("18x", set(range(180, 190))),
    ],
)
def test_codes_of_a_word(word: str, codes: set[int]) -> None:
    assert code_set(text(word).all) == codes


@pytest.mark.parametrize(
    "word", ["7xx", "0xx", "xxx", "x", "6xxx", "99", "700", "-486", "4xx6", "busy", "٤٨٦", "4" * 6000]
)
def test_no_codes(word: str) -> None:
    with pytest.raises(Mistake):
        code_set(text(word).all)


@pytest.mark.parametrize(
    ("words", "pattern", "shown"),
    [
        ("desk gets INVITE", RequestPattern("INVITE"), "desk gets INVITE"),
        ("desk gets ACK to 486", RequestPattern("ACK", frozenset({486})), "desk gets ACK to 486"),
        ("desk gets ACK to 486 or 600", RequestPattern("ACK", frozenset({486, 600})), "desk gets ACK to 486 or 600"),
        ("alice gets 486", ResponsePattern(frozenset({486})), "alice gets 486"),
        ("alice gets 180 or 183", ResponsePattern(frozenset({180, 183})), "alice gets 180 or 183"),
        ("alice gets 183 or 180", ResponsePattern(frozenset({180, 183}), text="183 or 180"), "alice gets 183 or 180"),
        ("alice gets 200 to CANCEL", ResponsePattern(frozenset({200}), "CANCEL"), "alice gets 200 to CANCEL"),
        ("alice  gets\tbusy-here", ResponsePattern(frozenset({486}), text="busy-here"), "alice gets busy-here"),
        (
            "alice gets 6xx",
            ResponsePattern(frozenset(range(600, 700)), text="6xx"),
            "alice gets 6xx",
        ),
    ],
)
def test_event(words: str, pattern: RequestPattern | ResponsePattern, shown: str) -> None:
    event = grammar.event(text(words), NAMES)
    assert (event.pattern, str(event), event.place) == (pattern, shown, Place("f", 1, 1))


@pytest.mark.parametrize(
    ("words", "message", "hint", "under"),
    [
        ("mobil sends 180", "unknown agent 'mobil'", "did you mean 'mobile'?", "mobil"),
        ("bob sends 180", "'bob' is a target, not an agent", "known: alice, desk, mobile", "bob"),
        ("system sends 180", "unknown agent 'system'", "known: alice, desk, mobile", "system"),
        ("mobile send 180", "an agent 'sends' or 'gets', not 'send'", "did you mean 'sends'?", "send"),
        ("mobile sees CANCEL", "an agent 'sends' or 'gets', not 'sees'", "did you mean 'gets'?", "sees"),
        ("mobile sends cancel", "unknown request 'cancel'", "did you mean 'CANCEL'?", "cancel"),
        ("mobile sends 180 183", "a response is expected by its code alone", "write 180", "183"),
        ("mobile sends INVITE now", "'now' does not belong to this event", "", "now"),
        ("mobile sends 180,", "a comma ends this event", "make what follows an item of its own", ","),
        ("mobile sends 180 to", "the answered request is missing after 'to'", "", "to"),
        ("mobile sends 200 to ACK", "an ACK is never answered", "known: INVITE, BYE, CANCEL, REGISTER", "ACK"),
        ("mobile gets ACK to 183", "a provisional response gets no ACK", "an ACK is for codes from 200", "183"),
        ("mobile gets BYE to 200", "BYE answers nothing", "only 'ACK to CODE' names a response", "to"),
        ("mobile gets BYE or ACK", "only response codes are joined by 'or'", "", "or"),
        ("mobile gets 180 or BYE", "only response codes are joined by 'or'", "", "BYE"),
        ("mobile", "'sends' or 'gets' is missing after 'mobile'", "", "mobile"),
    ],
)
def test_no_event(words: str, message: str, hint: str, under: str) -> None:
    assert refused(grammar.event, words) == (message, hint, under)


EVENT = Event("mobile", "sends", ResponsePattern(frozenset({180})))


@pytest.mark.parametrize(
    ("words", "event", "delay"),
    [
        ("300ms", False, 0.3),
        ("after 300ms", False, 0.3),
        ("after mobile sends 180", True, 0.0),
        ("300ms after mobile sends 180", True, 0.3),
    ],
)
def test_trigger(words: str, event: bool, delay: float) -> None:
    trigger = grammar.trigger(text(words), NAMES)
    place = Place("f", 1, words.find("mobile") + 1) if event else NOWHERE
    assert trigger == Trigger(Event(EVENT.agent, EVENT.verb, EVENT.pattern, place) if event else None, delay)


@pytest.mark.parametrize(
    ("words", "message", "hint", "under"),
    [
        ("300", "'300' has no unit", "write 300ms, 300s or 300m", "300"),
        ("after 300", "'300' has no unit", "write 300ms, 300s or 300m", "300"),
        (
            "mobile sends 180",
            "a trigger is a duration or begins with 'after'",
            "did you mean 'after mobile sends 180'?",
            "mobile",
        ),
        ("100ms after 2s", "two durations", "write an event after 'after'", "2s"),
        ("300ms later", "'later' does not belong to this trigger", "did you mean 'after'?", "later"),
        ("after", "an agent is missing after 'after'", "", "after"),
        ("soon", "a trigger is a duration or begins with 'after'", "write 300ms, or after mobile sends 180", "soon"),
    ],
)
def test_no_trigger(words: str, message: str, hint: str, under: str) -> None:
    assert refused(grammar.trigger, words) == (message, hint, under)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("INVITE", Expected(RequestPattern("INVITE"))),
        ("maybe CANCEL", Expected(RequestPattern("CANCEL"), maybe=True)),
        ("600 from desk", Expected(ResponsePattern(frozenset({600})), source="desk")),
        ("busy-here from system", Expected(ResponsePattern(frozenset({486}), text="busy-here"), source="system")),
        ("maybe 180 or 183 from mobile", Expected(ResponsePattern(frozenset({180, 183})), maybe=True, source="mobile")),
        ("200 to BYE from desk", Expected(ResponsePattern(frozenset({200}), "BYE"), source="desk")),
    ],
)
def test_expected(words: str, wanted: Expected) -> None:
    found = expected(text(words), NAMES)
    assert found == Expected(wanted.pattern, wanted.maybe, wanted.source, Place("f", 1, 1))
    assert str(found) == words


@pytest.mark.parametrize(
    ("words", "message", "hint", "under"),
    [
        ("CANCEL from desk", "only responses have a 'from'", "a request comes from the system: CANCEL", "from"),
        ("486 from alice", "unknown device 'alice'", "known: desk, mobile, system", "alice"),
        ("486 form desk", "'form' does not belong to this expectation", "did you mean 'from'?", "form"),
        ("486 Busy Here", "a response is expected by its code alone", "write 486", "Busy"),
        ("never", "'never' stands alone", "write it without brackets: never", "never"),
        (
            "mabye 486",
            "unknown response 'mabye'",
            "a response is a code, a name as busy-here, or a class as 6xx",
            "mabye",
        ),
        ("maybe", "a request (INVITE) or a response (486) is missing after 'maybe'", "", "maybe"),
        ("BYEE", "unknown request 'BYEE'", "did you mean 'BYE'?", "BYEE"),
    ],
)
def test_not_expected(words: str, message: str, hint: str, under: str) -> None:
    found = refused(expected, words)
    assert (found[0], found[2]) == (message, under)
    assert found[1].startswith(hint)


HERE = Place("f", 1, 1)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("486", Send(486, "Busy Here", place=HERE)),
        ("busy-here", Send(486, "Busy Here", place=HERE)),
        ("486 Line in use", Send(486, "Line in use", place=HERE)),
        ("403  Insufficient funds, please pay ", Send(403, "Insufficient funds, please pay", place=HERE)),
        ("wait 100ms", Wait(0.1, HERE)),
        ("silence", Silence(HERE)),
        ("hang up", HangUp(HERE)),
        ("hang  up", HangUp(HERE)),
        ("no 100", NoTrying(HERE)),
        ("send re-INVITE", Request("INVITE", place=HERE)),
        ("send REFER", Request("REFER", place=HERE)),
        ("close", Disconnect("close", HERE)),
        ("reset", Disconnect("reset", HERE)),
        ("half-open", Disconnect("half-open", HERE)),
        ("487 to INVITE", Send(487, "Request Terminated", place=HERE, to="INVITE")),
        ("request-terminated to INVITE", Send(487, "Request Terminated", place=HERE, to="INVITE")),
        ("after mobile sends 180", After(Event("mobile", "sends", EVENT.pattern, Place("f", 1, 7)), HERE)),
    ],
)
def test_step(words: str, wanted: object) -> None:
    assert step(text(words), NAMES) == wanted


@pytest.mark.parametrize(
    ("words", "message", "hint", "under"),
    [
        ("busy-hear", "unknown response 'busy-hear'", "did you mean 'busy-here'", "busy-hear"),
        ("700", "'700' is no response code: they go from 100 to 699", "", "700"),
        ("half-opened", "unknown response 'half-opened'", "did you mean 'half-open'?", "half-opened"),
        ("hang on", "unknown response 'hang'", "did you mean 'hang up'?", "hang"),
        ("send re-invite", "unknown request 're-invite'", "did you mean 're-INVITE'?", "re-invite"),
        ("487 to", "the answered request is missing after 'to'", "", "to"),
        ("487 to BYE", "only a pending INVITE is answered out of turn, no BYE", "write 487 for a response to", "BYE"),
        ("waite 100ms", "unknown response 'waite'", "did you mean 'wait'?", "waite"),
        ("100ms", "'100ms' is no step", "write 'wait 100ms'", "100ms"),
        ("wait 100", "'100' has no unit", "write 100ms", "100"),
        ("wait", "a duration is missing after 'wait'", "", "wait"),
        ("wait 1s 486", "'486' does not belong to this step", "", "486"),
        ("silence please", "'please' does not belong to 'silence'", "", "please"),
        ("hang up now", "'now' does not belong to 'hang up'", "", "now"),
        ("qqq", "unknown response 'qqq'", "a step is a code (486)", "qqq"),
        ("after dask sends 180", "unknown agent 'dask'", "did you mean 'desk'?", "dask"),
    ],
)
def test_no_step(words: str, message: str, hint: str, under: str) -> None:
    found = refused(step, words)
    assert (found[0], found[2]) == (message, under)
    assert found[1].startswith(hint)
    assert bool(hint) == bool(found[1])


@pytest.mark.parametrize(("words", "number"), [("1", 1), ("007", 7), ("10", 10)])
def test_whole_numbers(words: str, number: int) -> None:
    assert whole(text(words).all, 1, 10) == number


@pytest.mark.parametrize("words", ["0", "11", "-1", "+1", "1.0", "1e1", "x", "", "1" * 4000, "²"])
def test_no_whole_numbers(words: str) -> None:
    with pytest.raises(Mistake, match=r"from 1 to 10"):
        whole(text(words).all, 1, 10)


def test_names_that_cannot_be_judged_are_let_pass() -> None:
    """Where the devices cannot be read, every mention of one would be a mistake that is none."""
    assert grammar.event(text("anybody sends 180"), Names()).agent == "anybody"
    assert expected(text("486 from anybody"), Names()).source == "anybody"
