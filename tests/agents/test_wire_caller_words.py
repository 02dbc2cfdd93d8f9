"""What a wire caller says of itself and before the answer; and a device that asks it for credentials."""

from __future__ import annotations

from on_loop import on_loop
from wire_stage import Stage, stage

from sip_harness.agents.wire import WireAgent
from sip_harness.model.pattern import Trigger
from sip_harness.model.scenario import Account, Call
from sip_harness.model.steps import Challenge, Request, Send, Step, Wait

URI = "sip:bob@x.test"
RINGING, OK, BUSY = Send(180, "Ringing"), Send(200, "OK"), Send(486, "Busy Here")


async def called(here: Stage, call: Call, *steps: Step, password: str = "secret") -> WireAgent:
    desk = here.device("desk", steps)
    await desk.start()
    alice = here.caller(desk.local, password=password, patience=0.1)
    await alice.start()
    alice.call(call, URI)
    return alice


def call(**more: object) -> Call:
    return Call("c1", "alice", "bob", **more)  # type: ignore[arg-type]


@on_loop
async def test_requests_before_the_answer() -> None:
    async with stage() as here:
        early = (Wait(0.05), Request("UPDATE"), Request("INFO", (("X-A", "1"),)), Wait(60), Request("INFO"))
        await called(here, call(early=early), RINGING, Wait(0.3), OK)
        await here.see("alice gets 200 to BYE")
        made = [line for line in here.ladder("alice") if "sends" in line]
        assert made == [f"alice sends {method}" for method in ("INVITE", "UPDATE", "INFO", "ACK", "BYE")]
        update, invite = here.message("desk gets UPDATE"), here.message("desk gets INVITE")
        assert update.call_id == invite.call_id
        assert update.to_tag == here.message("alice gets 180").to_tag
        assert here.message("desk gets INFO").get("x-a") == "1"
        assert here.entry("alice gets 200 to UPDATE").time < here.entry("alice gets 200").time


@on_loop
async def test_no_early_dialog_no_request() -> None:
    async with stage() as here:
        await called(here, call(early=(Request("INFO"),)), Wait(0.05), BUSY)
        await here.see("desk gets ACK")
        assert "alice sends INFO" not in here.ladder()


@on_loop
async def test_another_from_keeps_or_gets_a_tag() -> None:
    async with stage() as here:
        headers = (("From", '"Mallory" <sip:m@evil.test>'), ("Max-Forwards", "0"))
        await called(here, call(headers=headers, cancel=Trigger(delay=0.05)), RINGING)
        await here.see("alice gets 487", "desk gets ACK")
        invite = here.message("desk gets INVITE")
        assert len(invite.all("from")) == 1
        assert (invite.get("from") or "").startswith('"Mallory" <sip:m@evil.test>;tag=')
        assert invite.get("max-forwards") == "0"
        assert here.message("desk gets CANCEL").from_tag == invite.from_tag


@on_loop
async def test_a_body_of_its_own() -> None:
    async with stage() as here:
        await called(here, call(method="MESSAGE", body="hello", content_type="text/plain"), BUSY)
        await here.see("alice gets 405 to MESSAGE")
        message = here.message("desk gets MESSAGE")
        assert (message.body, message.get("content-type")) == (b"hello", "text/plain")


@on_loop
async def test_a_device_that_asks_for_credentials_takes_the_retry_for_the_same_attempt() -> None:
    async with stage() as here:
        challenge = Challenge(user="alice", password="secret", realm="here", code=407)
        await called(here, call(), challenge, RINGING, BUSY)
        await here.see("alice gets 407", "alice gets 486")
        assert here.ladder().count("desk gets INVITE") == 2
        attempts = [note.data["attempt"] for note in here.notes("step") if "attempt" in note.data]
        assert set(attempts) == {"0"}


@on_loop
async def test_the_wrong_password_of_a_call_is_tried_once() -> None:
    async with stage() as here:
        challenge = Challenge(user="alice", password="secret")
        await called(here, call(account=Account("wrong")), challenge, OK)
        await here.see("alice gets 401", "alice gets 401", "desk gets ACK", "desk gets ACK")
        assert here.ladder().count("alice sends INVITE") == 2
        assert "desk sends 200" not in here.ladder()
