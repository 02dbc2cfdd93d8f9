"""The shape of a call in a scenario document."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, Tag, model_validator

from sip_harness.language.bytes_file import OF_TARGETS, PLACEHOLDERS, first, mistyped
from sip_harness.language.diagnostics import did_you_mean, quoted
from sip_harness.language.expect_doc import Expectation
from sip_harness.language.expectations import expectations
from sip_harness.language.fields import (
    AckText,
    AgentName,
    CallerName,
    Line,
    LossText,
    MethodName,
    Misfit,
    NewName,
    PrackText,
    StackName,
    TargetName,
    TransportName,
    TriggerText,
    of_kind,
    reads,
)
from sip_harness.language.headers import collect, one_line
from sip_harness.language.names import Names
from sip_harness.language.part import Part, by_kind
from sip_harness.language.reaction_doc import Reactions, reactions_of
from sip_harness.language.response_doc import AskingDoc
from sip_harness.language.source import Map, Text
from sip_harness.language.step_doc import Steps, steps_of
from sip_harness.model import wanted
from sip_harness.model.scenario import URI_PLACEHOLDER, Account, Call
from sip_harness.model.script import Script
from sip_harness.model.steps import HangUp, Raw, Request
from sip_harness.sip.message import MalformedMessage, parse

_OF_CALLS = ("cancel", "hang_up", "ack", "prack", "early", "then")


def _uri(text: Text, names: Names) -> str:
    bare = URI_PLACEHOLDER.sub("x", one_line(text, "a URI"))
    if brace := re.search(r"[{}]", bare):
        raise text.all.mistake(
            f"{quoted(brace[0])} means nothing here", "{uri}, {user}, {host} and {hostport} are filled in"
        )
    if not re.fullmatch(r"(?:x|[A-Za-z][A-Za-z0-9+.-]*:)[^\s<>\"\x00-\x1f\x7f]*", bare):
        raise text.all.mistake(
            f"{quoted(text)} is no URI", "write it like sip:+4930123@{hostport};user=phone, or {uri}"
        )
    return str(text)


class AccountDoc(Part):
    """`{user: alice, password: wrong}`."""

    shape = "{password: wrong}, or {user: mallory, password: wrong}"
    password: Line
    user: Line | None = None


OtherAccount = Annotated[
    Annotated[
        Annotated[Account, reads(lambda text, names: Account(agent=names.agent(text.all)), "an agent"), Tag("<agent>")]
        | Annotated[AccountDoc, Tag("<account>")],
        by_kind(text="<agent>", map="<account>"),
    ],
    of_kind("an agent, or an account, as {password: wrong}", Text, Map),
]


class CallDoc(AskingDoc):
    """A call, or a single request outside of a dialog."""

    shape = "{from: alice, to: bob}"
    filled = (
        AskingDoc.filled
        | dict.fromkeys(
            (
                "transport",
                "method",
                "bytes",
                "meanwhile",
                "early",
                "then",
                "as",
                "uri",
                "ack",
                "prack",
                "on",
                "lose",
                "expect",
            ),
            "",
        )
        | {"at": "write 500ms, or 3s after g1 sends 503"}
    )
    caller: CallerName = Field(alias="from")
    to: TargetName
    cancel: TriggerText | None = None
    hang_up: TriggerText | None = Field(default=None, alias="hang up")
    name: NewName | None = None
    stack: StackName = "auto"
    transport: TransportName = "udp"
    method: MethodName = "INVITE"
    bytes: Annotated[Raw, reads(first, "the name of a file")] | None = None
    meanwhile: Steps | None = None
    then: Steps | None = None
    ack: AckText | None = None
    prack: PrackText | None = None
    on: Reactions = Field(default_factory=dict)
    lose: list[LossText] = Field(default_factory=list)
    at: TriggerText | None = None
    early: Steps | None = None
    account: OtherAccount | None = Field(default=None, alias="as")
    uri: Annotated[str, reads(_uri, "a URI")] | None = None
    expect: dict[AgentName, Expectation] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _placeholders_are_known(self) -> CallDoc:
        for name, values in self.headers.items():
            for value in values or ():
                if (found := mistyped(value.encode("utf-8", "surrogateescape"), PLACEHOLDERS + OF_TARGETS)) is not None:
                    word, near = found
                    raise Misfit(f"unknown placeholder {quoted(word)}", did_you_mean(near), "headers", str(name))
        return self

    @model_validator(mode="after")
    def _a_call_for_what_calls_do(self) -> CallDoc:
        for name in _OF_CALLS:
            if self._begins != "INVITE" and getattr(self, name) is not None:
                word = name.replace("_", " ")
                message = f"'{word}' is for calls, and this is {_single(self._begins)}"
                raise Misfit(message, "drop it" if self.bytes else "drop it, or drop 'method'", word, key=True)
        if self.hang_up is not None and any(_ends(step) for step in steps_of(self.then or [])):
            raise Misfit("'then' hangs up already", "say it once", "hang up", key=True)
        return self

    @model_validator(mode="after")
    def _bytes_say_it_all(self) -> CallDoc:
        given = {"method": self.method != "INVITE", "headers": bool(self.headers), "body": self.body is not None}
        given |= {"uri": self.uri is not None, "type": self.type is not None}
        for name in (name for name, is_given in given.items() if is_given and self.bytes is not None):
            raise Misfit(
                f"the bytes of a file are all of a request: {quoted(name)} has no place there", "", name, key=True
            )
        return self

    @property
    def _begins(self) -> str:
        """The method of its request; empty for bytes that are none."""
        if self.bytes is None:
            return self.method
        try:
            return parse(self.bytes.data).method
        except MalformedMessage:
            return ""

    def expectations(self, number: int) -> Iterator[wanted.Expectation]:
        """What agents get in this call."""
        return expectations(self.expect, self._named(number))

    def _named(self, number: int) -> str:
        return str(self.name or f"call-{number}")

    def call(self, number: int) -> Call:
        """The call; `number` counts from 1 and is its name if it has none."""
        reacts = self.on or self.lose
        headers = collect(self.headers)
        return Call(
            name=self._named(number),
            caller=str(self.caller),
            target=self.to,
            cancel=self.cancel,
            hang_up=self.hang_up,
            headers=headers.given,
            omit=headers.omit,
            stack=self.stack,
            place=self.caller.place,
            transport=self.transport,
            method=self._begins,
            raw=self.bytes,
            how=self.how,
            meanwhile=steps_of(self.meanwhile or []),
            then=steps_of(self.then or []),
            ack=self.ack,
            prack=self.prack,
            script=Script((), reactions_of(self.on), tuple(self.lose)) if reacts else None,
            at=self.at,
            early=steps_of(self.early or []),
            account=_account(self.account),
            uri=self.uri or "",
            body=str(self.body or ""),
            content_type=str(self.type or ""),
        )


def _single(method: str) -> str:
    return f"a single {method}" if method else "no request at all"


def _account(given: Account | AccountDoc | None) -> Account | None:
    return Account(given.password, given.user or "") if isinstance(given, AccountDoc) else given


def _ends(step: object) -> bool:
    return isinstance(step, HangUp) or (isinstance(step, Request) and step.method == "BYE")
