"""Single requests of a wire caller: at a device of ours, and against a raw peer."""

from __future__ import annotations

import pytest
from on_loop import on_loop
from wire_stage import FAST, TOKEN, stage
from wire_stage import peer as raw_peer

from sip_harness.model.pattern import ResponsePattern
from sip_harness.model.scenario import Call
from sip_harness.model.script import Loss, Reaction, Script
from sip_harness.model.steps import Send

URI = "sip:bob@x.test"


def single(method: str, *headers: tuple[str, str], **more: object) -> Call:
    return Call("c1", "alice", "bob", headers=headers, method=method, **more)  # type: ignore[arg-type]


@on_loop
@pytest.mark.parametrize(("method", "code"), [("OPTIONS", 200), ("MESSAGE", 405), ("INFO", 405), ("BYE", 481)])
async def test_at_a_device(method: str, code: int) -> None:
    async with stage() as here:
        desk = here.device("desk", (Send(486, "Busy Here"),))
        await desk.start()
        alice = here.caller(desk.local)
        await alice.start()
        alice.call(single(method, ("X-A", "1")), URI)
        await here.see(f"alice gets {code} to {method}")
        assert here.ladder() == [
            f"alice sends {method}", f"desk gets {method}", f"desk sends {code} to {method}",
            f"alice gets {code} to {method}",
        ]  # fmt: skip
        assert here.entry(f"alice sends {method}").origin == "script"
        assert here.message(f"desk gets {method}").get("x-a") == "1"


@on_loop
async def test_what_is_noted() -> None:
    async with stage() as here, raw_peer() as far:
        alice = here.caller(far.address)
        await alice.start()
        alice.call(single("MESSAGE"), URI)
        message = await far.get("MESSAGE")
        assert message.call_id.startswith(TOKEN)
        [note] = here.notes("call")
        assert note.text == f"sends MESSAGE to {URI}"
        assert note.data == {"call": "c1", "call_id": message.call_id, "method": "MESSAGE"}
        far.answer(message, 202)
        await here.see("alice gets 202 to MESSAGE")
        assert not alice._calls


@on_loop
async def test_credentials() -> None:
    async with stage() as here, raw_peer() as far:
        alice = here.caller(far.address, password="secret")
        await alice.start()
        alice.call(single("PUBLISH", ("Event", "presence")), URI)
        first = await far.get("PUBLISH")
        far.answer(first, 401, ("WWW-Authenticate", 'Digest realm="x.test", nonce="abc", qop="auth"'))
        again = await far.get("PUBLISH")
        assert (again.call_id, again.cseq, again.get("event")) == (first.call_id, (2, "PUBLISH"), "presence")
        assert 'username="alice"' in (again.get("authorization") or "")
        assert alice._calls
        far.answer(again, 401, ("WWW-Authenticate", 'Digest realm="x.test", nonce="abd", qop="auth"'))
        await here.until(lambda: not alice._calls)
        assert here.ladder().count("alice sends PUBLISH") == 2
        assert len(here.notes("call")) == 1


@on_loop
async def test_a_subscription() -> None:
    script = Script((), (Reaction("NOTIFY", ((Send(200, "OK"),), (Send(481, "Gone"),))),))
    async with stage() as here, raw_peer() as far:
        alice = here.caller(far.address)
        await alice.start()
        alice.call(single("SUBSCRIBE", ("Event", "dialog"), ("Expires", "60")), URI)
        subscribe = await far.get("SUBSCRIBE")
        assert subscribe.get("contact")
        within = {"to_tag": subscribe.from_tag, "call_id": subscribe.call_id}
        far.ask(far.source, "NOTIFY", ("Event", "dialog"), ("Subscription-State", "active"), **within)  # type: ignore[arg-type]
        assert (await far.get()).code == 200
        far.answer(subscribe, 200, ("Expires", "60"))
        far.ask(far.source, "NOTIFY", ("Event", "dialog"), ("Subscription-State", "active"), seq=2, **within)  # type: ignore[arg-type]
        assert (await far.get()).code == 200
        assert here.entry("alice sends 200 to NOTIFY").origin == "protocol"
        alice.call(single("SUBSCRIBE", ("Event", "dialog"), script=script), URI)
        second = await far.get("SUBSCRIBE")
        far.answer(second, 200, ("Expires", "60"))
        codes = []
        for seq in (1, 2, 3):
            far.ask(far.source, "NOTIFY", to_tag=second.from_tag, call_id=second.call_id, seq=seq)
            codes.append((await far.get()).code)
        assert codes == [200, 481, 481]


@on_loop
async def test_silence_and_the_end() -> None:
    async with stage() as here, raw_peer() as far:
        alice = here.caller(far.address, timers=FAST)
        await alice.start()
        alice.call(single("OPTIONS"), URI)
        first = await far.get("OPTIONS")
        assert (await far.get("OPTIONS")).data == first.data
        await alice.stop()
        assert set(here.ladder()) == {"alice sends OPTIONS"}


@on_loop
async def test_deaf_to_the_first_final() -> None:
    losses = (Loss(ResponsePattern(frozenset({200}), "OPTIONS"), 1),)
    async with stage() as here, raw_peer() as far:
        alice = here.caller(far.address, timers=FAST)
        await alice.start()
        alice.call(single("OPTIONS", script=Script((), (), losses)), URI)
        far.answer(await far.get("OPTIONS"), 200)
        far.answer(await far.get("OPTIONS"), 200)
        await here.until(lambda: not alice._calls)
        assert here.ladder() == [*["alice sends OPTIONS", "alice gets 200 to OPTIONS"] * 2]
