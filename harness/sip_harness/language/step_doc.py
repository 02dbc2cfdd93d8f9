"""The shape of steps in a scenario document: in words, or as mappings with more to say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Discriminator, Tag

from sip_harness.language.answers import step
from sip_harness.language.bytes_file import raw
from sip_harness.language.challenge_doc import ChallengeDoc
from sip_harness.language.fields import AfterText, CodeKey, DialogKey, DialogText, Misfit, WaitText, of_kind, reads
from sip_harness.language.part import Part, by_kind
from sip_harness.language.response_doc import RequestDoc, ResponseDoc
from sip_harness.language.source import Map, Text
from sip_harness.language.values import OtherBranch
from sip_harness.language.words import code, within_dialog
from sip_harness.model.place import NOWHERE
from sip_harness.model.steps import Again, Raw, Request, Step


class WaitDoc(Part):
    """`{wait: 100ms}`."""

    shape = "{wait: 100ms}"
    surplus = "each step is an item of its own"
    wait: WaitText


class AfterDoc(Part):
    """`{after: mobile sends 180}`."""

    shape = "{after: mobile sends 180}"
    surplus = "each step is an item of its own"
    after: AfterText


class BytesDoc(Part):
    """`{bytes: broken.sip}`."""

    shape = "{bytes: broken.sip}"
    surplus = "each step is an item of its own"
    bytes: Annotated[Raw, reads(raw, "the name of a file")]


class ChallengeStep(Part):
    """`{challenge: {user: line-7, password: secret}}`."""

    shape = "{challenge: {user: line-7, password: secret}}"
    surplus = "each step is an item of its own"
    challenge: ChallengeDoc


def _one_request(value: dict[Text, RequestDoc | None]) -> dict[Text, RequestDoc | None]:
    if len(value) != 1:
        raise Misfit("one step sends one request", "", *map(str, list(value)[1:2]), key=True)
    return value


Sent = Annotated[
    Annotated[
        Annotated[DialogText, Tag("<method>")]
        | Annotated[dict[DialogKey, RequestDoc | None], AfterValidator(_one_request), Tag("<request>")],
        by_kind(text="<method>", map="<request>"),
    ],
    of_kind("a request, as 'send: re-INVITE' or 'send: {INFO: {headers: {...}}}'", Text, Map),
]


class RepeatDoc(Part):
    """`{branch: other}`."""

    shape = "{branch: other}"
    branch: OtherBranch


class AgainDoc(Part):
    """`{again: {branch: other}}`."""

    shape = "{again: {branch: other}}"
    surplus = "each step is an item of its own"
    again: RepeatDoc


class SendDoc(Part):
    """`{send: re-INVITE}` or `{send: {INFO: {headers: {...}, body: ..., type: ...}}}`."""

    shape = "{send: re-INVITE}"
    surplus = "each step is an item of its own"
    send: Sent


Response = dict[Text, ResponseDoc | None]
StepDoc = Step | WaitDoc | AfterDoc | BytesDoc | SendDoc | AgainDoc | ChallengeStep | Response
_KEYS = ("wait", "after", "bytes", "send", "again", "challenge")


def _step_form(value: object) -> str | None:
    if isinstance(value, Map):
        return next((f"<{key}>" for key in value if key in _KEYS), "<response>")
    return "<step>" if isinstance(value, Text) else None


def _one_code(value: Response) -> Response:
    if len(value) != 1:
        surplus = list(value)[1:2]
        hint = "begin each step with a dash or separate steps by commas"
        raise Misfit("one step has one response", hint, *map(str, surplus), key=True)
    ((key, full),) = value.items()
    if full is not None:
        try:
            full.check(code(key.words(r"\S+")[0]).code)
        except Misfit as misfit:
            raise Misfit(misfit.message, misfit.hint, str(key), *misfit.path, key=misfit.key) from None
    return value


Steps = list[
    Annotated[
        Annotated[Step, reads(step, "a step", "step"), Tag("<step>")]
        | Annotated[WaitDoc, Tag("<wait>")]
        | Annotated[AfterDoc, Tag("<after>")]
        | Annotated[BytesDoc, Tag("<bytes>")]
        | Annotated[SendDoc, Tag("<send>")]
        | Annotated[AgainDoc, Tag("<again>")]
        | Annotated[ChallengeStep, Tag("<challenge>")]
        | Annotated[dict[CodeKey, ResponseDoc | None], AfterValidator(_one_code), Tag("<response>")],
        Discriminator(_step_form),
    ]
]


def steps_of(steps: list[StepDoc]) -> tuple[Step, ...]:
    """The steps in the form of the model."""
    return tuple(_step(one) for one in steps)


def located(steps: list[StepDoc]) -> Iterator[tuple[tuple[str | int, ...], Step]]:
    """The steps, each with the path of what it says about how it is carried out."""
    for index, one in enumerate(steps):
        yield (index, *map(str, one)) if isinstance(one, dict) else (index,), _step(one)


def _step(one: StepDoc) -> Step:
    if isinstance(one, WaitDoc):
        return one.wait
    if isinstance(one, AfterDoc):
        return one.after
    if isinstance(one, BytesDoc):
        return one.bytes
    if isinstance(one, ChallengeStep):
        return one.challenge.asks(one.challenge.code, NOWHERE)
    if isinstance(one, AgainDoc):
        return Again(one.again.branch)
    if isinstance(one, SendDoc):
        return _request(one.send)
    if isinstance(one, dict):
        ((key, full),) = one.items()
        return (full or ResponseDoc()).send(key)
    return one


def _request(sent: Request | dict[Text, RequestDoc | None]) -> Request:
    if isinstance(sent, Request):
        return sent
    ((key, full),) = sent.items()
    return (full or RequestDoc()).request(within_dialog(key.all), key.place)
