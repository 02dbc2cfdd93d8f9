"""A user agent that asks an external system before a run: is it there, and who is registered (RFC 3261 10.2.3, 11)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection
from dataclasses import dataclass

from sip_harness.endpoint import build
from sip_harness.endpoint.request import Credentials, Request
from sip_harness.endpoint.transactions import Why
from sip_harness.endpoint.ua import Identity, UserAgent
from sip_harness.model.gate import Gate
from sip_harness.model.system import SystemInfo, User
from sip_harness.net.base import Hop, SendFailed, host_port
from sip_harness.net.clock import Clock
from sip_harness.net.opening import open_transport
from sip_harness.net.stream import StreamTransport
from sip_harness.net.tls import TlsFiles
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message, first_element, split_list
from sip_harness.sip.uri import parse_uri, uri_text
from sip_harness.sip.via import reflexive

PATIENCE = 4.0
"""Seconds for an answer."""
_OWN = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*-[a-wyz][a-wyz0-9]{3}x[0-9]{1,9}")
MAX_SHOWN = 3


class NoAnswer(Exception):
    """The system did not answer, or nothing could be sent to it; the message says which."""


@dataclass(frozen=True, slots=True)
class Found:
    """The bindings of an address of record."""

    own: tuple[str, ...]
    """Contact URIs that an earlier run of a harness has left behind."""
    foreign: tuple[str, ...]
    """Contact URIs of somebody else."""


class Visitor:
    """Sends single requests; make it with `async with`."""

    def __init__(self, info: SystemInfo, user: User, ours: Collection[str] = ()) -> None:
        """For one account, or for OPTIONS with whatever name. Contacts at the hosts `ours` are those of a run, too."""
        self._ours = ours
        self._info = info
        self._user = user
        assert info.guard is not None
        self._gate = Gate(info.guard, {host.lower() for host in (info.bind, info.advertise) if host})
        self._ua: UserAgent | None = None
        self._unsent = ""

    async def __aenter__(self) -> Visitor:
        """Open, and connect where there are connections. Raises NoAnswer."""
        info, user = self._info, self._user
        clock = Clock(asyncio.get_running_loop(), lambda _lag: None)
        credentials = Credentials(user.auth or user.name, user.password)
        try:
            ua = UserAgent(
                clock,
                lambda receive: open_transport(
                    info.transport, clock, (info.bind, 0), agent="visitor", record=lambda _entry: None, receive=receive,
                    guard=lambda address: self._gate.may_contact(address[0]), vet=self._gate.refusal,
                    tls=TlsFiles(info.trust, info.certificate, info.certified),
                ),
                Identity(user.aor, "visitor", credentials, "visitor"), on_unsent=self._note,
            )  # fmt: skip
        except OSError as error:
            raise NoAnswer(f"cannot open a port on {info.bind}: {error}") from error
        if info.advertise:
            ua.transport.public = info.advertise
        self._ua = ua
        if isinstance(ua.transport, StreamTransport):
            try:
                async with asyncio.timeout(PATIENCE):
                    await ua.transport.reach(self._remote)
            except (TimeoutError, SendFailed) as error:
                ua.close()
                raise NoAnswer(str(error) or f"no connection to {host_port(self._remote)}") from error
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        if self._ua is not None:
            self._ua.close()

    @property
    def _remote(self) -> tuple[str, int]:
        return self._info.address_of(self._info.transport)

    async def options(self) -> Message:
        """What the system answers to OPTIONS: any answer shows that it is there. Raises NoAnswer."""
        ua = self._opened()
        own = [("Contact", ua.contact), ("Accept", build.SDP)]
        return await self._ask("OPTIONS", f"sip:{self._info.domain}", f"<sip:{self._info.domain}>", own)

    def seen_in(self, answer: Message) -> str:
        """The host where the system has seen us, by what it has answered; empty if it is our own or it does not say."""
        found = reflexive(first_element(answer.get("via") or ""))
        return found[0] if found is not None and found[0] != self._opened().transport.local[0] else ""

    async def bindings(self) -> Found:
        """Who is registered for the account. Raises NoAnswer, also if the registrar will not tell."""
        return self._sorted_out(await self._register([]))

    async def remove(self, contacts: tuple[str, ...]) -> Found:
        """Take these bindings away; what is left then. Raises NoAnswer.

        A registrar that binds where a request came from takes a Contact for that of whoever sends it, and so knows none
        of these from here: if nobody else is registered all are taken away (RFC 3261 10.2.2).
        """
        headers = [("Contact", f"<{uri}>;expires=0") for uri in contacts]
        left = self._sorted_out(await self._register([*headers, ("Expires", "0")]))
        if not left.own or left.foreign:
            return left
        return self._sorted_out(await self._register([("Contact", "*"), ("Expires", "0")]))

    def _sorted_out(self, response: Message) -> Found:
        uris = [uri_text(one) for value in response.all("contact") for one in split_list(value)]
        own = tuple(uri for uri in uris if is_ours(uri) or _host(uri) in self._ours)
        return Found(own, tuple(uri for uri in uris if uri not in own))

    async def _register(self, headers: build.Headers) -> Message:
        response = await self._ask("REGISTER", f"sip:{self._user.domain}", f"<{self._user.aor}>", headers)
        if not 200 <= response.code < 300:
            raise NoAnswer(f"REGISTER for {self._user.aor} refused: {response.code} {response.reason}")
        return response

    async def _ask(self, method: str, uri: str, to: str, headers: build.Headers) -> Message:
        ua, hop = self._opened(), Hop(self._opened().transport, self._remote)
        answer: asyncio.Future[Message | Why] = asyncio.get_running_loop().create_future()
        call_id, sender, numbers = ua.new_call_id(), ua.sender(), iter(range(1, 1000))

        def make(credentials: build.Headers) -> bytes:
            return build.request(
                method, uri, via=build.new_via(ua.transport), sender=sender, to=to, call_id=call_id,
                cseq=next(numbers), headers=[*headers, *credentials],
            )  # fmt: skip

        def settle(outcome: Message | Why) -> None:
            if not answer.done():
                answer.set_result(outcome)

        Request(ua.layer, make, hop, "protocol", ua.identity.credentials, on_final=settle, on_failure=settle)
        try:
            outcome = await asyncio.wait_for(answer, PATIENCE)
        except TimeoutError:
            raise NoAnswer(f"no answer to {method} from {host_port(self._remote)} within {PATIENCE:g} s") from None
        if not isinstance(outcome, Message):
            raise NoAnswer(f"no answer to {method} from {host_port(self._remote)} ({self._unsent or outcome})")
        return outcome

    def _note(self, why: str) -> None:
        self._unsent = why

    def _opened(self) -> UserAgent:
        if self._ua is None:
            raise RuntimeError("the visitor is not there yet")
        return self._ua


def is_ours(contact: str) -> bool:
    """Whether a Contact URI has the form that agents of a harness register."""
    try:
        return bool(_OWN.fullmatch(parse_uri(contact).user))
    except SipError:
        return False


def _host(contact: str) -> str:
    """Lower case; empty if it cannot be read."""
    try:
        return parse_uri(contact).host.strip("[]").lower()
    except SipError:
        return ""
