"""The full form of a message in a scenario document: a response with the way in which it leaves, and a request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field, model_validator

from sip_harness.language.answers import answers_other, send
from sip_harness.language.diagnostics import quoted
from sip_harness.language.fields import Body, HeaderMap, MediaType, MethodName, Misfit, Reason
from sip_harness.language.headers import canonical, collect
from sip_harness.language.part import Part
from sip_harness.language.source import Text
from sip_harness.language.values import (
    Copies,
    HeaderNames,
    Length,
    Media,
    OtherBranch,
    OtherOrigin,
    Pieces,
    Resend,
    ToTag,
    YesNo,
)
from sip_harness.language.words import code
from sip_harness.model.place import Place
from sip_harness.model.steps import Delivery, Mutation, Request, Send

_DAMAGES: tuple[Literal["strip", "duplicate", "corrupt"], ...] = ("strip", "duplicate", "corrupt")


_LEAVING = ("resend", "copies", "strip", "duplicate", "corrupt", "truncate")


class MessageDoc(Part):
    """A message with headers and body, how it leaves, and what is damaged on its way out."""

    shape = "{headers: {...}, body: ..., type: ...}"
    filled = dict.fromkeys(_LEAVING, "")
    headers: HeaderMap = Field(default_factory=dict)
    body: Body | None = None
    type: MediaType | None = None
    resend: Resend | None = None
    copies: Copies = 1
    strip: HeaderNames = Field(default_factory=list)
    duplicate: HeaderNames = Field(default_factory=list)
    corrupt: HeaderNames = Field(default_factory=list)
    truncate: Length | None = None
    pieces: Pieces = Field(default_factory=list)

    @model_validator(mode="after")
    def _damage_is_possible(self) -> MessageDoc:
        gone = {canonical(argument) for kind, argument in self._damages() if kind == "strip"}
        for kind in _DAMAGES[1:]:
            for name in _listed(getattr(self, kind)):
                if canonical(name) in gone:
                    raise Misfit(f"{quoted(name)} is stripped: there is nothing left to {kind}", "", kind)
        return self

    @property
    def how(self) -> Delivery:
        """How it leaves."""
        return Delivery(
            resend=None if self.resend is None else () if self.resend == "never" else tuple(self.resend),
            copies=self.copies,
            mutations=tuple(self._mutations()),
            pieces=tuple(self.pieces),
        )

    def _damages(self) -> Iterator[tuple[Any, str]]:
        """In a fixed order, so that the order of writing does not matter; `truncate` comes last of all."""
        return ((kind, str(name)) for kind in _DAMAGES for name in _listed(getattr(self, kind)))

    def _mutations(self) -> Iterator[Mutation]:
        yield from (Mutation(kind, name) for kind, name in self._damages())
        if self.truncate is not None:
            yield Mutation("truncate", str(self.truncate))

    @model_validator(mode="after")
    def _body_has_type(self) -> MessageDoc:
        """RFC 3261 20.15: a body that is not empty needs a Content-Type."""
        typed = "content-type" in collect(self.headers).decided
        if self.body and self.type is None and not typed:
            raise Misfit("a body needs a type", "add 'type: text/plain'", "body", key=True)
        if self.type is not None and (typed or not self.body):
            why = "the headers have a Content-Type too" if typed else "there is no body"
            raise Misfit(f"a type is out of place: {why}", "", "type", key=True)
        return self


_OWN = frozenset({
    "via", "max-forwards", "from", "to", "call-id", "cseq", "contact", "allow", "supported", "route", "authorization",
    "proxy-authorization", "content-type", "content-length",
})  # fmt: skip
"""Headers that a request of ours may have without a word of its author."""


class AskingDoc(MessageDoc):
    """Headers and body of a request."""

    @model_validator(mode="after")
    def _only_own_are_left_out(self) -> AskingDoc:
        for name, values in self.headers.items():
            if values is None and canonical(name) not in _OWN:
                message = f"no request has a {quoted(name)} of its own that could be left out"
                raise Misfit(message, "drop it, or give it a value", "headers", str(name))
        return self


class RequestDoc(AskingDoc):
    """A request of one's own in full form, below its method."""

    surplus = (
        "a request has headers, body, type; how it leaves: resend, copies; what is damaged: strip, duplicate, corrupt, "
        "truncate, pieces"
    )

    def request(self, method: str, place: Place) -> Request:
        """The step that sends it."""
        headers = collect(self.headers)
        body, kind = str(self.body or ""), str(self.type or "")
        return Request(method, headers.given, body, kind, place, headers.omit, self.how)


class ResponseDoc(MessageDoc):
    """A response in full form, below its code."""

    shape = "{reason: ..., headers: {...}, body: ..., type: ...}"
    surplus = (
        "a response has reason, headers, body, type; how it leaves: to tag, branch, cseq, resend, copies, from, "
        "reliable, media; what is damaged: strip, duplicate, corrupt, truncate, pieces"
    )
    filled = dict.fromkeys((*_LEAVING, "branch", "cseq", "from", "reliable", "media"), "") | {
        "to tag": "write none for a response without a tag"
    }
    reason: Reason | None = None
    to_tag: ToTag | None = Field(default=None, alias="to tag")
    branch: OtherBranch | None = None
    cseq: MethodName | None = None
    origin: OtherOrigin | None = Field(default=None, alias="from")
    reliable: YesNo = False
    media: Media | None = None

    def check(self, status: int) -> None:
        """What its code has to allow. Raises Misfit."""
        if self.reliable and not 101 <= status <= 199:
            raise Misfit("only a provisional response from 101 is sent reliably (RFC 3262 3)", "", "reliable", key=True)
        if self.media and not 101 <= status <= 299:
            raise Misfit(f"a {status} has no session to send media in", "", "media", key=True)

    @property
    def how(self) -> Delivery:
        """How it leaves."""
        return replace(
            super().how,
            to_tag=self.to_tag,
            branch=self.branch or "",
            cseq=self.cseq or "",
            port="own" if self.origin is None else "other" if self.origin == "other port" else "elsewhere",
            reliable=self.reliable,
            media=self.media or "",
        )

    def send(self, key: Text) -> Send:
        """The step that sends it; `key` is its code as the author wrote it."""
        row = code(key.words(r"\S+")[0])
        headers = collect(self.headers)
        reason = None if self.reason is None else str(self.reason)
        texts = headers, str(self.body or ""), str(self.type or "")
        return send(row, key, reason, *texts, to=answers_other(key), how=self.how)


def _listed(value: Text | list[Text]) -> list[Text]:
    return [value] if isinstance(value, Text) else value
