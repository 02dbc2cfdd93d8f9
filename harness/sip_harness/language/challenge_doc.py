"""The shape of what asks for credentials in a scenario document: the step `challenge`, and a carrier that registers."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, Tag, model_validator

from sip_harness.language.answers import challenge_code
from sip_harness.language.fields import Line, Misfit, of_kind, one_of, reads
from sip_harness.language.names import Names
from sip_harness.language.part import Part, by_kind
from sip_harness.language.source import Map, Seq, Text
from sip_harness.language.values import YesNo
from sip_harness.language.words import MAX_SECONDS, duration
from sip_harness.model.place import Place
from sip_harness.model.script import Reaction
from sip_harness.model.steps import Challenge, Grant

_ALGORITHMS = tuple(f"{name}{more}" for name in ("MD5", "SHA-256", "SHA-512-256") for more in ("", "-sess"))


def _word(text: Text, names: Names) -> str:
    """What stands between quotes in a header as it is."""
    if not re.fullmatch(r"[^\x00-\x1f\x7f\"\\]+", text):
        raise text.all.mistake("quotes, backslashes and control characters cannot stand here")
    return str(text)


def _lifetime(text: Text, names: Names) -> int:
    seconds = duration(text.all)
    if seconds < 1 or seconds != int(seconds):
        raise text.all.mistake("a lifetime has whole seconds", f"write one from 1s to {MAX_SECONDS:g}s")
    return int(seconds)


_Word = Annotated[str, reads(_word, "text")]
_Algorithm = Annotated[str, reads(one_of(_ALGORITHMS, "algorithm"), "an algorithm, as SHA-256")]
_Algorithms = Annotated[
    Annotated[
        Annotated[_Algorithm, Tag("<one>")] | Annotated[list[_Algorithm], Tag("<several>")],
        by_kind(text="<one>", list="<several>"),
    ],
    of_kind("an algorithm or a list of them", Text, Seq),
]
_Quality = Annotated[
    Literal["auth", "auth-int", "none"],
    reads(one_of(("auth", "auth-int", "none"), "quality"), "auth, auth-int or none"),
]
Lifetime = Annotated[int, reads(_lifetime, "a duration, as 60s")]


class _AccountDoc(Part):
    user: _Word | None = None
    password: Line | None = None
    realm: _Word | None = None
    algorithm: _Algorithms = "MD5"
    qop: _Quality = "auth"
    stale: YesNo = False

    @model_validator(mode="after")
    def _whole(self) -> _AccountDoc:
        if self.user is not None and self.password is None:
            raise Misfit("a user without a password proves nothing", "add 'password: ...'", "user", key=True)
        if not self.algorithm:
            raise Misfit("an empty list of algorithms", "", "algorithm")
        return self

    def asks(self, code: int, place: Place) -> Challenge:
        """The step that asks for it."""
        algorithms = (self.algorithm,) if isinstance(self.algorithm, str) else tuple(self.algorithm)
        qop = "" if self.qop == "none" else self.qop
        return Challenge(
            code, self.user or "", self.password or "", self.realm or "", algorithms, qop, place, self.stale
        )


class ChallengeDoc(_AccountDoc):
    """What `challenge` can say in its full form."""

    shape = "{user: line-7, password: secret, realm: carrier.example, algorithm: [SHA-256, MD5], qop: auth, code: 407}"
    code: Annotated[int, reads(lambda text, names: challenge_code(text), "401 or 407")] = 401


class RegistrarDoc(_AccountDoc):
    """What `registrar` can say in its full form."""

    shape = "yes, challenge, or {user: line-7, password: secret, expires: 60s, min expires: 30s}"
    challenge: YesNo = False
    expires: Lifetime | None = None
    min_expires: Lifetime | None = Field(default=None, alias="min expires")

    @model_validator(mode="after")
    def _possible(self) -> RegistrarDoc:
        if self.expires is not None and self.min_expires is not None and self.expires < self.min_expires:
            message = "nobody can register for less than 'min expires' and more than 'expires'"
            raise Misfit(message, "", "min expires")
        return self

    def reaction(self, place: Place) -> Reaction:
        """What it does with REGISTER."""
        grant = Grant(self.expires or 0, self.min_expires or 0, place)
        asks = self.challenge or any((self.user, self.password, self.realm, self.stale))
        steps = (self.asks(401, place), grant) if asks else (grant,)
        return Reaction("REGISTER", (steps,), place)


Registrar = Annotated[
    Annotated[
        Annotated[
            Literal["yes", "challenge"],
            reads(one_of(("yes", "challenge"), "registrar"), "yes or challenge"),
            Tag("<word>"),
        ]
        | Annotated[RegistrarDoc, Tag("<full>")],
        by_kind(text="<word>", map="<full>"),
    ],
    of_kind("yes, challenge or a mapping", Text, Map),
]


def registrar_reaction(registrar: Literal["yes", "challenge"] | RegistrarDoc, place: Place) -> Reaction:
    """What such a carrier does with REGISTER."""
    if isinstance(registrar, RegistrarDoc):
        return registrar.reaction(place)
    grant = Grant(place=place)
    return Reaction("REGISTER", (((Challenge(place=place), grant) if registrar == "challenge" else (grant,)),), place)
