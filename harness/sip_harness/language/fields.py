"""Types of the single values in a scenario document: each reads the author's text and says what is wrong with it."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterable
from typing import Annotated, Literal, cast

from pydantic import AfterValidator, BeforeValidator, PlainValidator, ValidationInfo, WithJsonSchema

from sip_harness.language import grammar
from sip_harness.language.answers import STEPS, answers_other
from sip_harness.language.diagnostics import did_you_mean, guess, nearest, quoted
from sip_harness.language.expected import expected, fate, heard
from sip_harness.language.headers import body_text, collect, header_name, media_type, one_line
from sip_harness.language.names import Names, led_to, new_name
from sip_harness.language.source import Map, Node, Seq, Text
from sip_harness.language.timing import whole_count, whole_timing
from sip_harness.language.words import code, duration, failover, method, reacted_to, within_dialog
from sip_harness.model.expecting import Count, Heard, Timing
from sip_harness.model.faults import FAULTS
from sip_harness.model.pattern import Event, Trigger
from sip_harness.model.scenario import Stack, Transport
from sip_harness.model.script import Loss
from sip_harness.model.steps import After, Request, Wait
from sip_harness.model.vocabulary import CAPABILITIES
from sip_harness.model.wanted import Expected, Reached

MAX_ID = 64
MAX_TITLE = 200
_IMPACTS = ("harmless", "disruptive")
_STACKS = ("auto", "pjsua2", "wire")
_TRANSPORTS = ("udp", "tcp", "tls", "ws", "wss")
# Marks that pytest gives a meaning, and the words of its -m expressions.
_TAKEN = {"skip", "skipif", "xfail", "parametrize", "usefixtures", "filterwarnings", "tryfirst", "trylast", "timeout"}


class Misfit(ValueError):
    """A value of the wrong shape. Its place is that of the value being read, or of what lies at `path` below it."""

    def __init__(self, message: str, hint: str = "", *path: str | int, key: bool = False) -> None:
        self.message, self.hint, self.path, self.key = message, hint, path, key
        super().__init__(message)


def reads(parse: Callable[[Text, Names], object], wanted: str, form: str | Iterable[str] = "") -> PlainValidator:
    """A validator that hands a scalar to `parse`, with the names of the scenario; `wanted` says what it should be.

    `form` tells `json_schema` more: the name of a form that it knows, or all words that there are.
    """

    def validate(value: object, info: ValidationInfo) -> object:
        return parse(text_of(value, wanted), cast(Names, info.context))

    more: dict[str, object] = {"type": "string", "format": form} if isinstance(form, str) else {"enum": list(form)}
    return PlainValidator(validate, json_schema_input_type=Annotated[str, WithJsonSchema(more)])


def of_kind(wanted: str, *kinds: type[Node]) -> BeforeValidator:
    """Refuse every other kind of value with a word on what it should be."""

    def check(value: object) -> object:
        if not isinstance(value, kinds):
            hint = f"write [{value}]" if isinstance(value, Text) else ""
            raise Misfit(f"expected {wanted}, found {kind_of(value)}", hint)
        return value

    return BeforeValidator(check)


def text_of(value: object, wanted: str) -> Text:
    """The value as text. Raises Misfit if it is nothing or no scalar."""
    if isinstance(value, Text):
        return value
    raise Misfit(f"expected {wanted}, found {kind_of(value)}")


def kind_of(value: object) -> str:
    """What a value of the tree is, in words."""
    if isinstance(value, Text):
        return "text"
    return "a mapping" if isinstance(value, Map) else "a list" if isinstance(value, Seq) else "nothing"


def _filled(text: Text, names: Names) -> str:
    if not text.strip():
        raise text.all.mistake("this text is empty")
    return str(one_line(text, "this text"))


def _title(text: Text, names: Names) -> str:
    title = _filled(text, names)
    if len(title) > MAX_TITLE:
        raise text.all.mistake(f"a title has at most {MAX_TITLE} characters", "put the rest into a comment")
    return title


def _id(text: Text, names: Names) -> Text:
    if not re.fullmatch(rf"[A-Za-z0-9][A-Za-z0-9.-]{{0,{MAX_ID - 1}}}", text):
        hint = f"use at most {MAX_ID} letters, digits, dashes and dots, as in FK-01"
        raise text.all.mistake(f"{quoted(text)} is no id", hint)
    return text


def _tag(text: Text, names: Names) -> str:
    if not (text.isascii() and text.isidentifier()):
        better = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")
        hint = f"as in {quoted(better)}" if better.isidentifier() else ""
        raise text.all.mistake(f"{quoted(text)} is no tag: letters, digits and underscores only", hint)
    if text in _TAKEN or keyword.iskeyword(text):
        raise text.all.mistake(f"{quoted(text)} cannot be a tag: it means something else to pytest")
    return str(text)


def one_of(known: Iterable[str], kind: str) -> Callable[[Text, Names], str]:
    """Reads one of a few words; `kind` is what they are."""
    words = tuple(known)

    def parse(text: Text, names: Names) -> str:
        if text not in words:
            raise text.all.mistake(f"unknown {kind} {quoted(text)}", guess(text, words))
        return str(text)

    return parse


def _code_key(text: Text, names: Names) -> Text:
    """The key of a step in full form: a code or a name, perhaps with `to INVITE`, and nothing else."""
    words = text.words(r"\S+")
    if len(words) > 1 and answers_other(text):
        code(words[0])
        return text
    if len(words) > 1 and str(words[0])[:1].isdigit():
        code(words[0])
        phrase = text[words[1].begin :]
        raise words[1].mistake("the key of a step is its code alone", f"write {words[0]}: {{reason: {phrase}}}")
    if text in ("reason", "headers", "body", "type"):
        raise text.all.mistake(f"{quoted(text)} is said of a response", "indent it further, below the code")
    code(text.all, hint=did_you_mean(nearest(text, STEPS)))
    return text


def _caller(text: Text, names: Names) -> Text:
    if text in (names.devices or ()):
        raise text.all.mistake(f"{quoted(text)} is a device; a caller needs a name of its own")
    return new_name(text)


def _carrier(text: Text, names: Names) -> Text:
    if text in (names.devices or ()) and (names.devices or ()).count(str(text)) > 1:
        raise text.all.mistake(f"{quoted(text)} is a device already; a carrier needs a name of its own")
    return new_name(text)


def _prack(text: Text, names: Names) -> str:
    if text != "never":
        raise text.all.mistake("a PRACK goes out at once or never", "write 'prack: never', or leave it out")
    return str(text)


def _rules(text: Text, names: Names) -> Text:
    """A whole `expect` in one word."""
    if text != RULES:
        hint = f"write 'expect: {RULES}' for what the rules of forking want, or say what each agent gets"
        raise text.all.mistake(f"{quoted(text)} is no mapping of agents", hint)
    return text


def _check_headers(headers: dict[Text, tuple[Text, ...] | None]) -> dict[Text, tuple[Text, ...] | None]:
    collect(headers)
    return headers


def _header_values(value: object, info: ValidationInfo) -> tuple[Text, ...] | None:
    names = cast(Names, info.context)
    if value is None:
        return None
    if isinstance(value, Seq):
        if not value:
            raise Misfit("an empty list of values", "write null to leave the header out")
        found = []
        for index, item in enumerate(value):
            if not isinstance(item, Text):
                raise Misfit("a header value is text", "", index)
            found.append(item)
        return tuple(led_to(one_line(item, "a header value"), names) for item in found)
    return (led_to(one_line(text_of(value, "text, a list of texts or null"), "a header value"), names),)


RULES = "rfc3261"
"""In place of expectations: every fork as the rules want it."""
Line = Annotated[str, reads(_filled, "text")]
Title = Annotated[str, reads(_title, "text")]
Id = Annotated[Text, reads(_id, "an id", "id")]
TagName = Annotated[str, reads(_tag, "a tag")]
Capability = Annotated[str, reads(one_of(CAPABILITIES, "capability"), "a capability", CAPABILITIES)]
Fault = Annotated[str, reads(one_of(FAULTS, "fault"), "a fault", FAULTS)]
ImpactName = Annotated[str, reads(one_of(_IMPACTS, "impact"), "harmless or disruptive", _IMPACTS)]
StackName = Annotated[Stack, reads(one_of(_STACKS, "stack"), "a stack", _STACKS)]
TransportName = Annotated[Transport, reads(one_of(_TRANSPORTS, "transport"), "a transport", _TRANSPORTS)]
NewName = Annotated[Text, reads(lambda text, names: new_name(text), "a name", "name")]
CarrierName = Annotated[Text, reads(_carrier, "the name of a carrier", "name")]
CallerName = Annotated[Text, reads(_caller, "the name of a caller", "name")]
CallerOfRun = Annotated[str, reads(lambda text, names: names.caller(text.all), "the name of a caller")]
RungName = Annotated[str, reads(lambda text, names: names.ringing(text.all), "the name of a device")]
DeviceName = Annotated[str, reads(lambda text, names: names.device(text.all), "the name of a device")]
AgentName = Annotated[Text, reads(lambda text, names: names.agent(text.all) and text, "the name of an agent")]
SourceName = Annotated[str, reads(lambda text, names: names.source(text.all), "a device or system")]
TargetName = Annotated[str, reads(lambda text, names: names.target(text.all), "the name of a target", "name")]
EventText = Annotated[Event, reads(grammar.event, "an event, as 'mobile sends 180'", "event")]
TriggerText = Annotated[Trigger, reads(grammar.trigger, "a trigger, as 300ms or after mobile sends 180", "trigger")]
ExpectedText = Annotated[Expected, reads(expected, "a message, as '486' or 'ACK to 486'", "message")]
ExpectedKey = Annotated[
    Text, reads(lambda text, names: expected(text, names) and text, "a message, as '486' or 'ACK to 486'")
]
AckText = Annotated[
    Trigger | Literal["never"], reads(grammar.acknowledgement, "never or a trigger, as 2s or after mobile sends 180")
]
PrackText = Annotated[Literal["never"], reads(_prack, "never", ["never"])]
LossText = Annotated[Loss, reads(grammar.loss, "a message, as 'CANCEL' or 'first 2 ACK'")]
MethodName = Annotated[str, reads(lambda text, names: method(text.all), "a request")]
DialogText = Annotated[
    Request, reads(lambda text, names: Request(within_dialog(text.all), place=text.place), "a request, as re-INVITE")
]
DialogKey = Annotated[Text, reads(lambda text, names: within_dialog(text.all) and text, "a request, as re-INVITE")]
ReactedKey = Annotated[Text, reads(lambda text, names: reacted_to(text.all) and text, "a request, as CANCEL")]
Fate = Annotated[Literal["never"] | Reached, reads(fate, "never or reached", "fate")]
Rules = Annotated[Text, reads(_rules, RULES, [RULES])]
HeardText = Annotated[Heard, reads(heard, "tone, silence or nothing", "heard")]
FailoverText = Annotated[
    int, reads(lambda text, names: failover(text), "a condition, as 'policy.failover has 503'", "failover")
]
CountText = Annotated[Count, reads(lambda text, names: whole_count(text), "a count, as 2 times")]
TimingText = Annotated[Timing, reads(whole_timing, "a time, as within 1s of desk sends 503")]
WaitText = Annotated[
    Wait, reads(lambda text, names: Wait(duration(text.all), text.place), "a duration, as 100ms", "duration")
]
AfterText = Annotated[
    After,
    reads(
        lambda text, names: After(grammar.event(text, names), text.place), "an event, as 'mobile sends 180'", "event"
    ),
]
CodeKey = Annotated[Text, reads(_code_key, "a response code or name", "code")]
Reason = Annotated[Text, reads(lambda text, names: one_line(text, "a reason phrase"), "text")]
Body = Annotated[Text, reads(lambda text, names: body_text(text), "text")]
MediaType = Annotated[Text, reads(lambda text, names: media_type(text), "a content type")]
HeaderName = Annotated[Text, reads(lambda text, names: header_name(text), "a header name")]
HeaderValues = Annotated[
    tuple[Text, ...] | None, PlainValidator(_header_values, json_schema_input_type=str | list[str] | None)
]
HeaderMap = Annotated[dict[HeaderName, HeaderValues], AfterValidator(_check_headers)]
