"""Types of the single values in a profile."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, cast

from sip_harness.language.diagnostics import Diagnostic, Mistake, quoted
from sip_harness.language.fields import one_of, reads
from sip_harness.language.names import Names
from sip_harness.language.source import Text
from sip_harness.language.words import code, duration, whole
from sip_harness.model.entry import Address
from sip_harness.model.vocabulary import CAPABILITIES, GRANTED

_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"(?P<host>{_HOST}|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{{1,5}}))?")
_BY = re.compile(r"(udp|tcp|tls):(?=[^:\s])")
_USER = re.compile(r"[A-Za-z0-9_.!~*'()&=+$,;?/%#-]{1,128}")
_SECRET = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_KINDS = ("proxy", "b2bua", "trunk-client")
_NUMBER = re.compile(r"\+?[0-9*#]{1,32}\*?")


@dataclass
class Surroundings(Names):
    """Context in which a profile is read."""

    environment: Mapping[str, str] = field(default_factory=dict)
    unset: set[str] = field(default_factory=set)
    """Variables whose absence has been told."""


def _address(text: Text, names: Names) -> Address:
    """Host and port; port 0 where none is written."""
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise text.all.mistake(
            f"{quoted(text)} is no address", "write host:port, as 192.0.2.10:5060 or [2001:db8::1]:5060"
        )
    port = int(match["port"] or 0)
    if match["port"] and not 0 < port < 65536:
        raise text.all.mistake(f"{quoted(text)} has no port from 1 to 65535")
    return match["host"].strip("[]"), port


def _listening(text: Text, names: Names) -> tuple[str, Address]:
    """By which transport, empty for the usual one, and a local address with its port."""
    found = _BY.match(text)
    rest = Text(text[found.end() :], text.origin, text.indices[found.end() :]) if found else text
    host, port = _address(rest, names)
    if not port:
        raise text.all.mistake("the port is missing", f"write {text}:5070: the system has to know where it sends to")
    return found[1] if found else "", (_ip(Text(host, rest.origin, rest.indices), names), port)


def _ip(text: Text, names: Names) -> str:
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        raise text.all.mistake(f"{quoted(text)} is no IP address", "names are not looked up here") from None


def _host(text: Text, names: Names) -> str:
    if not _ADDRESS.fullmatch(text) or (":" in text.strip("[]").replace("::", "") and not text.startswith("[")):
        raise text.all.mistake(f"{quoted(text)} is no host", "write a name or an IP address, without a port")
    return text.strip("[]").lower()


def _domain(text: Text, names: Names) -> str:
    if not _ADDRESS.fullmatch(text):
        raise text.all.mistake(f"{quoted(text)} is no domain", "write it as staging.example.com, or host:port")
    return str(text).lower()


def _user(text: Text, names: Names) -> str:
    if not _USER.fullmatch(text):
        raise text.all.mistake(
            f"{quoted(text)} is no user part of a SIP URI", "write it without 'sip:' and without a host"
        )
    return str(text)


def _line(text: Text, names: Names) -> str:
    if not text.strip() or any(c in text for c in "\r\n\0"):
        raise text.all.mistake("this text is empty or has more than one line")
    return str(text)


def _secret(text: Text, names: Names) -> str:
    """The value of the variable that is named. What a mistake shows must not be the secret itself."""
    found = _SECRET.fullmatch(text)
    if found is None:
        hint = "write the name of an environment variable, as password: $PASSWORD_101"
        raise Mistake(Diagnostic(text.place, "a secret does not stand in a file", hint))
    surroundings = cast(Surroundings, names)
    value = surroundings.environment.get(found[1], "")
    if not value and found[1] not in surroundings.unset:
        surroundings.unset.add(found[1])
        raise text.all.mistake(
            f"the environment variable {found[1]} is not set", f"export {found[1]}=... before the run"
        )
    return value


def _file(text: Text, names: Names) -> str:
    path = names.directory / Path(str(text)).expanduser()
    if not path.is_file():
        raise text.all.mistake(f"there is no file {quoted(str(text))}", "it is looked for beside the profile")
    return str(path)


def _number(text: Text, names: Names) -> str:
    if not _NUMBER.fullmatch(text):
        raise text.all.mistake(
            f"{quoted(text)} is no number", "write digits, as 112 or +49900; a * at the end stands for more"
        )
    return str(text)


def _rate(text: Text, names: Names) -> float:
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,3})?", text) or not float(text):
        raise text.all.mistake(f"{quoted(text)} is no rate", "write how many calls per second, as 2 or 0.5")
    return float(text)


AddressText = Annotated[Address, reads(_address, "an address, as 192.0.2.10:5060", "address")]
Listening = Annotated[
    tuple[str, Address],
    reads(_listening, "a local address, as 192.168.1.20:5070 or tcp:192.168.1.20:5070", "listening"),
]
IpText = Annotated[str, reads(_ip, "an IP address")]
HostText = Annotated[str, reads(_host, "a host")]
DomainText = Annotated[str, reads(_domain, "a domain")]
UserText = Annotated[str, reads(_user, "a user, as 101")]
LineText = Annotated[str, reads(_line, "text")]
Secret = Annotated[str, reads(_secret, "the name of an environment variable, as $PASSWORD_101", "secret")]
FileText = Annotated[str, reads(_file, "the name of a file")]
NumberText = Annotated[str, reads(_number, "a number")]
Rate = Annotated[float, reads(_rate, "calls per second")]
Count = Annotated[int, reads(lambda text, names: whole(text.all, 1, 1_000_000), "a number")]
Seconds = Annotated[float, reads(lambda text, names: duration(text.all), "a duration, as 500ms", "duration")]
CodeText = Annotated[int, reads(lambda text, names: code(text.all).code, "a response code or name")]
GrantedText = Annotated[
    str, reads(one_of(tuple(GRANTED), "thing that is taken for granted"), "what it lacks", tuple(GRANTED))
]
KindText = Annotated[str, reads(one_of(_KINDS, "kind"), "a kind", _KINDS)]
CapabilityText = Annotated[str, reads(one_of(CAPABILITIES, "capability"), "a capability", CAPABILITIES)]
