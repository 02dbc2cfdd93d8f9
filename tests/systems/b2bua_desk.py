"""The embedded PBX with a caller and the phones of one user, played by a test, and calls between them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from udp_phone import Phone, Stage

from sip_harness.sip.message import Message
from sip_harness.sip.uri import uri_text
from sip_harness.systems.reference.b2bua import ReferenceB2bua
from sip_harness.systems.reference.b2bua_core import Settings


@dataclass
class Desk:
    """Alice, and the phones of bob in the order of their registration."""

    stage: Stage
    alice: Phone
    phones: list[Phone]
    invites: list[Message] = field(default_factory=list)

    def dial(self, *headers: tuple[str, str]) -> Message:
        """An INVITE from alice for bob."""
        return self.alice.request("INVITE", "sip:bob@{}:{}".format(*self.alice.system), headers=headers)

    async def rung(self) -> list[Message]:
        """The INVITE at every phone, each of which rings."""
        invites = [await phone.expect("INVITE") for phone in self.phones]
        for phone, invite in zip(self.phones, invites, strict=True):
            phone.answer(invite, 180)
            await self.alice.expect(180)
        return invites


Play = Callable[[Desk], Awaitable[None]]


async def on_desk(
    play: Play, *faults: str, preferences: tuple[float, ...] = (1.0, 1.0), settings: Settings | None = None
) -> None:
    system = ReferenceB2bua(settings=settings, faults=faults)
    async with Stage(system) as stage:
        phones = []
        for q in preferences:
            phone = stage.phone("bob")
            answer = await phone.register(contact=f"<{phone.contact}>;q={q};expires=3600")
            assert answer.code == 200
            phones.append(phone)
        await play(Desk(stage, stage.phone("alice"), phones))


def in_call(invite: Message, final: Message, method: str, uri: str = "", seq: int = 2) -> Mapping[str, object]:
    """What a request of the caller within the dialog has to say."""
    return {
        "method": method,
        "uri": uri or uri_text(final.get("contact") or ""),
        "to": final.get("to") or "",
        "from_": invite.get("from") or "",
        "call_id": invite.call_id,
        "cseq": seq,
    }


async def answered(desk: Desk) -> tuple[Message, Message, Message]:
    """A call between alice and the only phone: alice's INVITE, the leg's, and the 200 that alice got."""
    sent = desk.dial()
    leg = await desk.phones[0].expect("INVITE")
    desk.phones[0].answer(leg, 200)
    final = await desk.alice.expect(200)
    await desk.phones[0].expect("ACK")
    desk.alice.request(**in_call(sent, final, "ACK", seq=1))  # type: ignore[arg-type]
    return sent, leg, final


@dataclass
class InCall:
    """A call between alice and the only phone, from both ends."""

    desk: Desk
    sent: Message
    """Alice's INVITE."""
    leg: Message
    """The one that the phone got."""
    final: Message
    """The 200 that alice got."""

    @property
    def alice(self) -> Phone:
        """The caller."""
        return self.desk.alice

    @property
    def phone(self) -> Phone:
        """The one that was called."""
        return self.desk.phones[0]

    def from_alice(self, method: str, seq: int = 2, **more: object) -> Message:
        """A request of alice's within the call."""
        return self.alice.request(**in_call(self.sent, self.final, method, seq=seq), **more)  # type: ignore[arg-type]

    def from_phone(self, method: str, seq: int = 1, **more: object) -> Message:
        """A request of the phone's within the call."""
        return self.phone.request(
            method,
            uri_text(self.leg.get("contact") or ""),
            to=self.leg.get("from") or "",
            from_=f"{self.leg.get('to')};tag={self.phone.host.partition(':')[2]}",
            call_id=self.leg.call_id,
            cseq=seq,
            **more,  # type: ignore[arg-type]
        )


async def call(desk: Desk) -> InCall:
    """Set a call up."""
    return InCall(desk, *await answered(desk))
