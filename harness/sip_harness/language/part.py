"""What all mappings of a scenario document have in common: known keys, and advice for unknown ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from pydantic import BaseModel, ConfigDict, Discriminator, ValidationInfo, model_validator

from sip_harness.language import foreign
from sip_harness.language.diagnostics import did_you_mean, guess, nearest, quoted
from sip_harness.language.names import Names
from sip_harness.language.source import Map, Seq, Text
from sip_harness.sip.fields import WRITTEN


class Part(BaseModel):
    """A mapping with known keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, arbitrary_types_allowed=True, defer_build=True)
    shape: ClassVar[str]
    """How it is written, for an author who wrote something that is no mapping."""
    surplus: ClassVar[str] = ""
    """What an author may have meant by a key too many; empty: the known keys are named."""
    filled: ClassVar[Mapping[str, str]] = {}
    """Keys that have a value if they are there at all, each with advice for an author who left it empty."""

    @model_validator(mode="before")
    @classmethod
    def _check_keys(cls, data: Any, info: ValidationInfo) -> Any:
        if isinstance(data, Map):
            known = [field.alias or name for name, field in cls.model_fields.items()]
            for key in [key for key in data if key not in known]:
                _unknown_key(data, key, known, cls.surplus, cast(Names, info.context))
            for key in [key for key in data if key in cls.filled and data[key] is None]:
                _empty_key(data, key, cls.filled[key], cast(Names, info.context))
            cls._learn(data, cast(Names, info.context))
        return data

    @classmethod
    def _learn(cls, data: Map, names: Names) -> None:
        """Look at the whole before its parts are read; mistyped keys are set right by now."""


def _unknown_key(data: Map, key: str, known: list[str], surplus: str, names: Names) -> None:
    name, colon, value = key.partition(":")
    if colon and name in known and data[key] is None:
        names.mistakes.append(
            data.keys_at[key].mistake("a space is missing after the colon", f"write {name}: {value}").diagnostic
        )
        data.split(key, name, value)
        return
    near = nearest(key, known)
    hint = did_you_mean(near) or foreign.of_key(key) or _as_header(key, known) or surplus or guess(key, known)
    if not near and data.flow and data[key] is None and " " in key:
        hint = "quote the text before it if the comma belongs to it"
    names.mistakes.append(data.keys_at[key].mistake(f"unknown key {quoted(key)}", hint).diagnostic)
    if near and near not in data:
        data.rename(key, near)
    else:
        del data[key]


def _as_header(key: str, known: list[str]) -> str:
    """Advice for a header that stands where the mapping of all headers belongs."""
    is_header = key.lower() in WRITTEN or key[:2] in ("X-", "P-")
    return f"a header stands below 'headers', as 'headers: {{{key}: ...}}'" if is_header and "headers" in known else ""


def _empty_key(data: Map, key: str, hint: str, names: Names) -> None:
    names.mistakes.append(data.keys_at[key].mistake(f"{quoted(key)} is empty", hint or "give it a value").diagnostic)
    del data[key]


def by_kind(**tags: str) -> Discriminator:
    """Tell the forms of a value apart by the kind of node; pydantic puts the tag into the path of an error."""

    def tag(value: object) -> str | None:
        kind = "text" if isinstance(value, Text) else "list" if isinstance(value, Seq) else "map"
        return tags.get(kind) if value is not None else None

    return Discriminator(tag)
