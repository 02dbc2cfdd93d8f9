"""The full form of a message in a scenario document: a response with the way in which it leaves, a request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, PlainValidator, model_validator

from sip_harness.language.fields import Body, HeaderMap, HeaderName, MediaType, Misfit, Reason, reads, text_of
from sip_harness.language.headers import canonical, collect, tag
from sip_harness.language.part import Part
from sip_harness.language.source import Map, Seq, Text
from sip_harness.language.values import Choice, Number, Times, YesNo, numbers
from sip_harness.language.words import method
from sip_harness.model.scenario import Delivery, Mutation, MutationKind

MAX_COPIES = 100
MAX_LENGTH = 65_535
_NAMED: tuple[MutationKind, ...] = ("strip", "duplicate", "corrupt")


def _header_names(value: object) -> tuple[Text, ...]:
    if not isinstance(value, Seq):
        return (text_of(value, "the name of a header or a list of them"),)
    if not value:
        raise Misfit("an empty list of headers")
    return tuple(_name(item, index) for index, item in enumerate(value))


def _name(item: object, index: int) -> Text:
    if not isinstance(item, Text):
        raise Misfit("a header is named by text", "", index)
    return item
