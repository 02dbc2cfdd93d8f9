"""The shape of answers and reactions by number and by what the request says.

`[[busy-here], {when: {from: alice}, answer: [ok]}, always: [ringing]]`: the cases are asked first; every other request
gets the list of its number, and from the last one on the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, model_validator

from sip_harness.language.diagnostics import nearest
from sip_harness.language.fields import CallerOfRun, HeaderName, Misfit, reads
from sip_harness.language.headers import one_line
from sip_harness.language.names import Names
from sip_harness.language.part import Part
from sip_harness.language.source import Map, Seq, Text
from sip_harness.language.step_doc import StepDoc, Steps, steps_of
from sip_harness.model.place import NOWHERE
from sip_harness.model.script import Case, When
from sip_harness.model.steps import Step

Path = tuple[str | int, ...]


def _match(text: Text, names: Names) -> str:
    word = str(one_line(text, "a value"))
    if len(word) > 1 and word[0] == word[-1] == "/":
        try:
            re.compile(word[1:-1])
        except re.error as error:
            raise text.all.mistake(f"this is no regular expression: {error}") from None
    return word


_Match = Annotated[str, reads(_match, "present, absent, /regular expression/ or a value")]


class WhenDoc(Part):
    """Which requests a case is for."""

    shape = "{from: alice}, {user: /^00/} or {headers: {X-Priority: present}}"
    caller: CallerOfRun | None = Field(default=None, alias="from")
    user: _Match | None = None
    headers: dict[HeaderName, _Match] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _says_something(self) -> WhenDoc:
        if not (self.caller or self.user or self.headers):
            raise Misfit(
                "'when' says nothing: it would be for every request", "write 'always' for all others", key=True
            )
        return self

    @property
    def when(self) -> When:
        """It in the form of the model."""
        headers = tuple((str(name), wanted) for name, wanted in self.headers.items())
        return When(headers, self.user or "", self.caller or "")


class CaseDoc(Part):
    """`{when: {from: alice}, answer: [ok]}`."""

    shape = "{when: {from: alice}, answer: [ok]}"
    when: WhenDoc
    answer: Steps


class AlwaysDoc(Part):
    """`{always: [ok]}`."""

    shape = "{always: [ok]}"
    always: Steps


_KEYS = ("when", "answer", "always")


def is_by_attempt(value: object) -> bool:
    """Whether a list is one of attempts and cases, and not one of steps."""
    return isinstance(value, Seq) and any(isinstance(item, Seq) or _is_case(item) for item in value)


def _is_case(item: object) -> bool:
    return isinstance(item, Map) and any(nearest(key, _KEYS) or key in _KEYS for key in item)


def _form(item: object) -> str | None:
    if isinstance(item, Map):
        return "<always>" if any(nearest(key, ["always"]) or key == "always" for key in item) else "<case>"
    return "<steps>" if item is not None else None


AttemptDoc = list[StepDoc] | CaseDoc | AlwaysDoc
Attempts = list[
    Annotated[
        Annotated[Steps, Tag("<steps>")] | Annotated[CaseDoc, Tag("<case>")] | Annotated[AlwaysDoc, Tag("<always>")],
        Discriminator(_form),
    ]
]


def lists_of(attempts: list[Any]) -> Iterator[tuple[Path, list[StepDoc]]]:
    """Every list of steps with its path."""
    for index, one in enumerate(attempts):
        if isinstance(one, CaseDoc):
            yield (index, "answer"), one.answer
        elif isinstance(one, AlwaysDoc):
            yield (index, "always"), one.always
        else:
            yield (index,), one


def numbered(attempts: list[Any]) -> tuple[tuple[Step, ...], ...]:
    """The steps by number."""
    found = [one.always if isinstance(one, AlwaysDoc) else one for one in attempts if not isinstance(one, CaseDoc)]
    return tuple(steps_of(one) for one in found)


def cases_of(attempts: list[Any]) -> tuple[Case, ...]:
    """The cases in the form of the model."""
    return tuple(Case(one.when.when, steps_of(one.answer), _place(one)) for one in attempts if isinstance(one, CaseDoc))


def misfits(attempts: list[Any]) -> Iterator[Misfit]:
    """What is wrong with the order of attempts."""
    for index, one in enumerate(attempts[:-1]):
        if isinstance(one, AlwaysDoc):
            following = next((i for i in range(index + 1, len(attempts)) if not isinstance(attempts[i], CaseDoc)), None)
            if following is not None:
                yield Misfit("nothing comes after 'always'", "put it last", following)


def _place(case: CaseDoc) -> Any:
    steps = steps_of(case.answer)
    return steps[0].place if steps else NOWHERE
