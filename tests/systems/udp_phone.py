"""A phone of few words for tests: one UDP socket, exact messages, nothing automatic."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import re
import secrets
import socket
import time
from collections.abc import Awaitable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from sip_harness.sip.message import Message, build, parse

PATIENCE = 10.0
T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a test's coroutine within its deadline."""

    async def bounded() -> T:
        async with asyncio.timeout(60):
            return await main

    return asyncio.run(bounded())


async def eventually(check: Any, what: str, within: float = PATIENCE) -> None:
    """Wait until `check()` is true; for what no event tells, such as the end of somebody else's process."""
    deadline = time.monotonic() + within
    while not check():
        assert time.monotonic() < deadline, f"not within {within}s: {what}"
        await asyncio.sleep(0.005)


class Phone:
    """Messages come in with `expect` in the order of their arrival; 100 Trying is passed over."""

    def __init__(self, user: str, system: tuple[str, int]) -> None:
        self.user = user
        self.system = system
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.host = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.contact = f"sip:{user}@{self.host}"
        self.times: list[float] = []
        self._cseq = itertools.count(1)

    def close(self) -> None:
        self.socket.close()

    def move(self, place: tuple[str, int]) -> None:
        """Listen there instead, where a system looks for its carriers."""
        self.socket.close()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(place)
        self.socket.setblocking(False)
        self.host = "{}:{}".format(*place)

    def send(self, data: bytes) -> None:
        self.socket.sendto(data, self.system)

    def request(
        self,
        method: str,
        uri: str,
        *,
        to: str = "",
        headers: tuple[tuple[str, str], ...] = (),
        cseq: int = 0,
        body: bytes = b"",
        **fixed: str,
    ) -> Message:
        """Send a request and return it."""
        domain = "{}:{}".format(*self.system)
        lines = [
            ("Via", f"SIP/2.0/UDP {self.host};branch={fixed.get('branch') or 'z9hG4bK' + secrets.token_hex(6)}"),
            ("Max-Forwards", fixed.get("hops", "70")),
            ("From", fixed.get("from_") or f"<sip:{self.user}@{domain}>;tag={secrets.token_hex(4)}"),
            ("To", to or f"<{uri}>"),
            ("Call-ID", fixed.get("call_id") or secrets.token_hex(8)),
            ("CSeq", f"{cseq or next(self._cseq)} {method}"),
            ("Contact", fixed.get("contact", f"<{self.contact}>")),
            *headers,
        ]
        data = build(f"{method} {uri} SIP/2.0", [(n, v) for n, v in lines if v], body)
        self.send(data)
        return parse(data)

    def again(self, method: str, sent: Message, *headers: tuple[str, str], to: str = "", cseq: int = 0) -> Message:
        """Another request of the same call: ACK and CANCEL share the INVITE's branch (RFC 3261 9.1, 17.1.1.3)."""
        shared = {"branch": sent.branch} if method in ("ACK", "CANCEL") else {}
        return self.request(
            method,
            sent.uri,
            to=to or sent.get("to") or "",
            headers=headers,
            cseq=cseq or sent.cseq[0],
            from_=sent.get("from") or "",
            call_id=sent.call_id,
            contact="",
            **shared,
        )

    def answer(
        self, request: Message, code: int, reason: str = "Whatever", tag: str = "", **extra: str | list[str]
    ) -> None:
        """Send a response to a request; the To tag is this phone's own, always the same. A list is several headers."""
        copied = [
            (f.name, f.value) for f in request.fields if f.key in ("via", "record-route", "from", "call-id", "cseq")
        ]
        to = request.get("to") or ""
        if not request.to_tag and code > 100:
            to += f";tag={tag or self.host.partition(':')[2]}"
        values = {name: [value] if isinstance(value, str) else value for name, value in extra.items()}
        more = [(name.replace("_", "-"), one) for name, value in values.items() for one in value]
        if request.method == "INVITE":
            more.append(("Contact", f"<{self.contact}>"))
        self.send(build(f"SIP/2.0 {code} {reason}", [*copied, ("To", to), *more]))

    async def receive(self, within: float = PATIENCE) -> Message:
        """The next message but 100."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(within):
            while True:
                message = parse(await loop.sock_recv(self.socket, 65_535))
                if message.code != 100:
                    self.times.append(time.monotonic())
                    return message

    async def expect(self, what: str | int) -> Message:
        """The next message, which must be a request of this method or a response with this code."""
        message = await self.receive()
        assert what in (message.method, message.code), f"{self.user}: expected {what}, got {message.summary}"
        return message

    async def quiet(self, seconds: float = 0.3) -> None:
        """Nothing comes for so long."""
        try:
            message = await self.receive(seconds)
        except TimeoutError:
            return
        raise AssertionError(f"{self.user}: unexpected {message.summary}")

    async def register(self, aor_user: str = "", password: str = "", **contact: str) -> Message:
        """Register and return the final response; with a password the challenge is answered."""
        domain = "{}:{}".format(*self.system)
        aor = f"sip:{aor_user or self.user}@{domain}"
        sent = self.request("REGISTER", f"sip:{domain}", to=f"<{aor}>", **contact)
        answer = await self.receive()
        if password and answer.code == 401:
            credentials = authorization(answer.get("WWW-Authenticate") or "", sent, self.user, password)
            self.request(
                "REGISTER", f"sip:{domain}", to=f"<{aor}>", headers=(("Authorization", credentials),), **contact
            )
            answer = await self.receive()
        return answer

    async def decline(self, invite: Message, code: int) -> None:
        """Answer an INVITE with a failure and take its ACK."""
        self.answer(invite, code)
        await self.expect("ACK")

    async def cancelled(self, invite: Message) -> Message:
        """Take a CANCEL and do what any phone must: 200 to it, 487 to the INVITE (RFC 3261 9.2)."""
        cancel = await self.expect("CANCEL")
        assert cancel.branch == invite.branch
        self.answer(cancel, 200, "OK")
        await self.decline(invite, 487)
        return cancel


def authorization(challenge: str, sent: Message, user: str, password: str) -> str:
    """Credentials for a challenge with MD5 and qop=auth (RFC 2617 3.2.2), the long way round."""
    asked = dict(re.findall(r'(\w+)="([^"]*)"', challenge))

    def digest(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    secret = digest(f"{user}:{asked['realm']}:{password}")
    response = digest(f"{secret}:{asked['nonce']}:00000001:c0ffee:auth:{digest(f'{sent.method}:{sent.uri}')}")
    return (
        f'Digest username="{user}", realm="{asked["realm"]}", nonce="{asked["nonce"]}", uri="{sent.uri}", '
        f'qop=auth, nc=00000001, cnonce="c0ffee", response="{response}", algorithm=MD5'
    )


class Stage(AsyncExitStack):
    """A system with phones on it, all of them gone at the end."""

    def __init__(self, system: Any) -> None:
        super().__init__()
        self.system = system

    async def __aenter__(self) -> Stage:
        await super().__aenter__()
        self.push_async_callback(self.system.stop)
        await self.system.start()
        return self

    def phone(self, user: str) -> Phone:
        phone = Phone(user, self.system.info.address)
        self.callback(phone.close)
        return phone

    async def registered(self, *users: str) -> list[Phone]:
        """A phone for each user name; the same name twice makes two contacts of one address of record."""
        phones = [self.phone(user) for user in users]
        answers: list[Awaitable[Message]] = [p.register(password=self.system.info.password) for p in phones]
        for answer in answers:
            assert (await answer).code == 200
        return phones
