"""The embedded trunk client at a carrier that a test plays, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
from ladders import scenario
from on_loop import in_virtual_time, on_loop
from udp_phone import Phone

from sip_harness.model.scenario import Device, Scenario, Target
from sip_harness.model.script import Script
from sip_harness.model.steps import Send
from sip_harness.model.system import User
from sip_harness.model.vocabulary import CAPABILITIES
from sip_harness.sip.digest import Challenge, authorization
from sip_harness.sip.message import Message, parse
from sip_harness.systems.base import Binding, CannotBind, Lease, SystemFailed
from sip_harness.systems.reference.trunk import FAULTS, ReferenceTrunk
from sip_harness.systems.reference.trunk_registration import Patience

HOUR = 3600.0
LEASE = Lease("abc", 1)
NOWHERE = scenario("desk: {answer: [486]}", "alice: [486]")
CHALLENGE = 'Digest realm="carrier", nonce="{}", qop="auth"'


@dataclass
class Line:
    """A trunk client and the one carrier that it registers at."""

    trunk: ReferenceTrunk
    carrier: Phone

    async def register(self) -> Message:
        """The next REGISTER."""
        message = await self.carrier.receive(HOUR)
        assert message.method == "REGISTER"
        return message

    def grant(self, request: Message, seconds: int) -> None:
        self.carrier.answer(request, 200, contact=f"{request.get('contact')};expires={seconds}")

    async def until_register(self) -> float:
        """Seconds until the next REGISTER."""
        begin = asyncio.get_running_loop().time()
        await self.register()
        return asyncio.get_running_loop().time() - begin


@contextlib.asynccontextmanager
async def line(*faults: str, password: str = "pw", scenario: Scenario = NOWHERE, **times: float) -> AsyncIterator[Line]:
    trunk = ReferenceTrunk(patience=Patience(**times), faults=faults)  # type: ignore[arg-type]
    await trunk.start()
    carrier = Phone("g1", trunk.info.address)
    host, port = carrier.socket.getsockname()
    binding = Binding({"g1": User("g1-abcx1", "x", password)}, {}, frozenset(), {"g1": (host, port)})
    await trunk.admit(scenario, LEASE, binding)
    try:
        yield Line(trunk, carrier)
    finally:
        await trunk.stop()
        carrier.close()


@in_virtual_time
async def test_the_register() -> None:
    async with line() as here:
        m = await here.register()
        assert m.uri == f"sip:{here.carrier.host}"
        assert m.get("to") == f"<sip:g1-abcx1@{here.carrier.host}>"
        assert m.get("contact") == "<sip:g1-abcx1@{}:{}>".format(*here.trunk.info.address)
        assert (m.get("expires"), m.get("authorization")) == ("60", None)


@in_virtual_time
@pytest.mark.parametrize(
    ("code", "asks", "gives"),
    [(401, "www-authenticate", "authorization"), (407, "proxy-authenticate", "proxy-authorization")],
)
async def test_a_challenge_is_answered_with_credentials_that_are_right(code: int, asks: str, gives: str) -> None:
    async with line() as here:
        first = await here.register()
        here.carrier.answer(first, code, **{asks: CHALLENGE.format("n1")})
        second = await here.register()
        value = second.get(gives) or ""
        cnonce = value.partition('cnonce="')[2].partition('"')[0]
        right = authorization(
            Challenge.parse(CHALLENGE.format("n1")),
            username="g1-abcx1", password="pw", method="REGISTER", uri=second.uri, cnonce=cnonce,
        )  # fmt: skip
        assert value == right
        assert (second.call_id, second.cseq[0]) == (first.call_id, first.cseq[0] + 1)


@in_virtual_time
async def test_it_refreshes_at_half_of_the_granted_time() -> None:
    async with line() as here:
        first = await here.register()
        here.grant(first, 40)
        assert await here.until_register() == pytest.approx(20, abs=0.01)


@in_virtual_time
async def test_a_stale_nonce_is_no_refusal() -> None:
    async with line() as here:
        here.carrier.answer(await here.register(), 401, www_authenticate=CHALLENGE.format("n1"))
        here.carrier.answer(await here.register(), 401, www_authenticate=CHALLENGE.format("n2") + ", stale=true")
        assert 'nonce="n2"' in ((await here.register()).get("authorization") or "")


@in_virtual_time
async def test_a_client_that_takes_a_stale_nonce_for_a_refusal() -> None:
    async with line("takes-stale-for-refused") as here:
        here.carrier.answer(await here.register(), 401, www_authenticate=CHALLENGE.format("n1"))
        here.carrier.answer(await here.register(), 401, www_authenticate=CHALLENGE.format("n2") + ", stale=true")
        await here.carrier.quiet(60)


async def give_credentials(here: Line, challenge: str) -> str:
    """What a client answers this challenge with."""
    here.carrier.answer(await here.register(), 401, www_authenticate=challenge)
    return (await here.register()).get("authorization") or ""


@in_virtual_time
@pytest.mark.parametrize(("faults", "has"), [((), True), (("leaves-qop-out",), False)])
async def test_qop_where_it_is_asked_for(faults: tuple[str, ...], has: bool) -> None:
    async with line(*faults) as here:
        assert ("qop=auth, nc=00000001" in await give_credentials(here, CHALLENGE.format("n1"))) is has


@in_virtual_time
@pytest.mark.parametrize(("faults", "has"), [((), False), (("adds-qop",), True)])
async def test_no_qop_where_none_is_asked_for(faults: tuple[str, ...], has: bool) -> None:
    async with line(*faults) as here:
        assert ("qop=" in await give_credentials(here, 'Digest realm="carrier", nonce="n1"')) is has


@in_virtual_time
@pytest.mark.parametrize(("faults", "first"), [((), "SHA-256"), (("answers-last-challenge",), "MD5")])
async def test_the_first_challenge_that_it_can_answer(faults: tuple[str, ...], first: str) -> None:
    async with line(*faults) as here:
        request = await here.register()
        both = [f'Digest realm="carrier", nonce="n1", algorithm={name}' for name in ("SHA-256", "MD5")]
        here.carrier.answer(request, 401, www_authenticate=both)
        assert f"algorithm={first}" in ((await here.register()).get("authorization") or "")


@in_virtual_time
@pytest.mark.parametrize(("faults", "count"), [((), 2), (("counts-no-nonce-uses",), 1)])
async def test_a_refresh_uses_the_nonce_again_and_counts_it(faults: tuple[str, ...], count: int) -> None:
    async with line(*faults) as here:
        here.carrier.answer(await here.register(), 401, www_authenticate=CHALLENGE.format("n1"))
        here.grant(await here.register(), 10)
        refresh = (await here.register()).get("authorization") or ""
        assert ('nonce="n1"' in refresh, f"nc={count:08x}" in refresh) == (True, True)


@in_virtual_time
@pytest.mark.parametrize(("faults", "nonce"), [((), "n2"), (("ignores-nextnonce",), "n1")])
async def test_the_nonce_that_the_registrar_names_for_the_next_time(faults: tuple[str, ...], nonce: str) -> None:
    async with line(*faults) as here:
        here.carrier.answer(await here.register(), 401, www_authenticate=CHALLENGE.format("n1"))
        request = await here.register()
        contact = f"{request.get('contact')};expires=10"
        here.carrier.answer(request, 200, contact=contact, authentication_info='nextnonce="n2"')
        refresh = (await here.register()).get("authorization") or ""
        assert f'nonce="{nonce}"' in refresh
        assert f"nc=0000000{1 if nonce == 'n2' else 2}" in refresh


@in_virtual_time
async def test_a_nonce_that_has_become_too_old_costs_one_challenge() -> None:
    async with line() as here:
        here.carrier.answer(await here.register(), 401, www_authenticate=CHALLENGE.format("n1"))
        here.grant(await here.register(), 10)
        here.carrier.answer(await here.register(), 401, www_authenticate=CHALLENGE.format("n2"))
        again = (await here.register()).get("authorization") or ""
        assert ('nonce="n2"' in again, "nc=00000001" in again) == (True, True)


@in_virtual_time
async def test_a_200_without_its_contact_is_no_registration() -> None:
    async with line() as here:
        here.carrier.answer(await here.register(), 200)
        assert await here.until_register() == pytest.approx(1, abs=0.01)
    async with line("takes-any-200") as here:
        here.carrier.answer(await here.register(), 200)
        await here.carrier.quiet(29)


async def refuse_403(here: Line) -> None:
    here.carrier.answer(await here.register(), 403)


async def refuse_credentials(here: Line) -> None:
    here.carrier.answer(await here.register(), 401, www_authenticate=CHALLENGE.format("n1"))
    here.carrier.answer(await here.register(), 401, www_authenticate=CHALLENGE.format("n2"))


async def be_out_of_service(here: Line) -> None:
    here.carrier.answer(await here.register(), 503, retry_after="30 (back soon)")


@in_virtual_time
@pytest.mark.parametrize(
    ("fault", "play"),
    [
        ("hammers-after-403", refuse_403),
        ("answers-challenge-for-ever", refuse_credentials),
        ("ignores-retry-after", be_out_of_service),
    ],
)
async def test_it_waits_unless_the_fault_is_on(fault: str, play: Callable[[Line], object]) -> None:
    async with line() as here:
        await play(here)  # type: ignore[misc]
        await here.carrier.quiet(29)
    async with line(fault) as here:
        for _ in range(3):
            await play(here)  # type: ignore[misc]
        assert await here.until_register() < 1


@in_virtual_time
async def test_after_retry_after_it_comes_back() -> None:
    async with line() as here:
        await be_out_of_service(here)
        assert await here.until_register() == pytest.approx(30, abs=0.01)


@in_virtual_time
async def test_a_refusal_for_good_is_the_end() -> None:
    async with line() as here:
        await refuse_403(here)
        await here.carrier.quiet(90_000)


@in_virtual_time
async def test_min_expires_is_used_and_an_absurd_one_is_not() -> None:
    async with line() as here:
        here.carrier.answer(await here.register(), 423, min_expires="120")
        assert (await here.register()).get("expires") == "120"
    async with line() as here:
        here.carrier.answer(await here.register(), 423, min_expires="4000000000")
        await here.carrier.quiet(0.9)
        assert (await here.register()).get("expires") == "60"
    async with line("ignores-min-expires") as here:
        here.carrier.answer(await here.register(), 423, min_expires="120")
        assert (await here.register()).get("expires") == "60"


@in_virtual_time
async def test_its_patience_doubles_up_to_a_cap() -> None:
    async with line(transaction=0.4, retry=1.0, cap=4.0) as here:
        await here.register()
        waits = [await here.until_register() for _ in range(5)]
    assert waits == pytest.approx([1.4, 2.4, 4.4, 4.4, 4.4], abs=0.01)
    async with line("retries-without-back-off", transaction=0.4, retry=1.0, cap=4.0) as here:
        await here.register()
        assert [await here.until_register() for _ in range(3)] == pytest.approx([1.4] * 3, abs=0.01)


@in_virtual_time
async def test_a_lost_register_is_sent_again_and_success_restores_patience() -> None:
    async with line() as here:
        first = await here.register()
        assert await here.register() == first
        await here.register()
        here.grant(await here.register(), 40)
        assert await here.until_register() == pytest.approx(20, abs=0.01)
        here.carrier.answer(await here.register(), 500)
        assert await here.until_register() == pytest.approx(1, abs=0.01)


@in_virtual_time
async def test_a_client_that_never_refreshes() -> None:
    async with line("never-refreshes") as here:
        here.grant(await here.register(), 4)
        await here.carrier.quiet(60)


@in_virtual_time
@pytest.mark.parametrize(("faults", "code"), [((), 200), (("answers-408-to-options",), 408)])
async def test_options_of_the_carrier(faults: tuple[str, ...], code: int) -> None:
    async with line(*faults) as here:
        await here.register()
        here.carrier.request("OPTIONS", "sip:{}:{}".format(*here.trunk.info.address))
        assert (await here.carrier.expect(code)).cseq[1] == "OPTIONS"


@in_virtual_time
async def test_the_contact_is_taken_back() -> None:
    async with line() as here:
        here.grant(await here.register(), 60)
        await here.carrier.quiet(1)
        await here.trunk.release(LEASE)
        assert (await here.register()).get("expires") == "0"
    async with line("forgets-to-unregister") as here:
        here.grant(await here.register(), 60)
        await here.carrier.quiet(1)
        await here.trunk.release(LEASE)
        await here.carrier.quiet(60)


@in_virtual_time
@pytest.mark.parametrize("fault", ["", "forgets-to-unregister"])
async def test_a_contact_that_is_bound_after_the_end_is_taken_back_once(fault: str) -> None:
    async with line(*filter(None, [fault])) as here:
        under_way = await here.register()
        await here.trunk.release(LEASE)
        here.grant(under_way, 60)
        if not fault:
            taken_back = await here.register()
            assert (taken_back.get("expires"), taken_back.get("contact")) == ("0", under_way.get("contact"))
            here.carrier.answer(taken_back, 200)
        await here.carrier.quiet(60)


@in_virtual_time
async def test_a_register_that_is_refused_after_the_end_is_not_tried_again() -> None:
    async with line() as here:
        under_way = await here.register()
        await here.trunk.release(LEASE)
        here.carrier.answer(under_way, 503)
        await here.carrier.quiet(60)


@in_virtual_time
async def test_it_takes_no_calls() -> None:
    async with line() as here:
        await here.register()
        here.carrier.request("INVITE", "sip:x@{}:{}".format(*here.trunk.info.address))
        await here.carrier.expect(480)
        with pytest.raises(CannotBind, match="takes no calls"):
            here.trunk.bind(NOWHERE, LEASE)


@on_loop
async def test_it_registers_by_tcp() -> None:
    came: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set_result(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    carrier = Device("g1", Script(((Send(486, "Busy"),),)), kind="carrier", transport="tcp")
    trunk = ReferenceTrunk()
    await trunk.start()
    try:
        binding = Binding({"g1": User("g1-abcx1", "x", "pw")}, {}, frozenset(), {"g1": (host, port)})
        await trunk.admit(Scenario("T-1", "t", (), (), (carrier,), (), ()), LEASE, binding)
        register = parse(await came)
    finally:
        await trunk.stop()
        server.close()
        await server.wait_closed()
    assert register.uri == f"sip:{host}:{port};transport=tcp"
    assert (register.get("via") or "").startswith("SIP/2.0/TCP ")
    assert ";transport=tcp>" in (register.get("contact") or "")


@in_virtual_time
async def test_a_carrier_gets_a_place_and_an_account() -> None:
    watched = Scenario(
        "T-1", "t", (), (), (Device("g1", Script(((Send(486, "Busy"),),)), kind="carrier"),), (), (),
        needs=frozenset({"registers-at-carrier"}),
    )  # fmt: skip
    trunk = ReferenceTrunk()
    await trunk.start()
    try:
        binding = trunk.bind(watched, LEASE)
        assert set(binding.listens) == {"g1"}
        assert LEASE.token in binding.users["g1"].name
        assert binding.users["g1"].password
        assert not binding.registers
        with pytest.raises(SystemFailed, match="already been started"):
            await trunk.start()
    finally:
        await trunk.stop()


@contextlib.asynccontextmanager
async def two_registrars(*faults: str) -> AsyncIterator[tuple[Phone, Phone]]:
    """One carrier with two registrars."""
    trunk = ReferenceTrunk(patience=Patience(), faults=faults)
    await trunk.start()
    carriers = {name: Phone(name, trunk.info.address) for name in ("g1", "g2")}
    places = {name: carrier.socket.getsockname() for name, carrier in carriers.items()}
    user = User("carrier-abcx1", "x", "pw")
    devices = tuple(Device(name, Script(((Send(486, "Busy"),),)), kind="carrier") for name in carriers)
    target = Target("carrier", "hunt", ("g1", "g2"))
    try:
        binding = Binding(dict.fromkeys(carriers, user), {"carrier": "sip:c@x"}, frozenset(), places)
        await trunk.admit(Scenario("T-1", "t", (), (target,), devices, (), ()), LEASE, binding)
        yield carriers["g1"], carriers["g2"]
    finally:
        await trunk.stop()
        for carrier in carriers.values():
            carrier.close()


@in_virtual_time
@pytest.mark.parametrize("answers", [True, False])
async def test_the_next_registrar_of_a_carrier_is_asked_at_once(answers: bool) -> None:
    async with two_registrars() as (first, second):
        request = await first.receive(HOUR)
        if answers:
            first.answer(request, 503, retry_after="60")
        other = await second.receive(HOUR)
        assert (other.method, other.call_id == request.call_id) == ("REGISTER", False)
        second.answer(other, 200, contact=f"{other.get('contact')};expires=20")
        assert (await second.receive(HOUR)).cseq[0] > other.cseq[0]


@in_virtual_time
async def test_a_client_that_knows_one_registrar_only() -> None:
    async with two_registrars("knows-one-registrar-only") as (first, second):
        first.answer(await first.receive(HOUR), 503)
        await second.quiet(20)
        assert (await first.receive(HOUR)).method == "REGISTER"


@in_virtual_time
@pytest.mark.parametrize("fault", ["", "takes-a-new-nonce-for-refused"])
async def test_a_registrar_that_has_forgotten_the_nonce_gets_the_credentials_again(fault: str) -> None:
    async with line(*filter(None, [fault])) as here:
        here.carrier.answer(await here.register(), 401, www_authenticate=CHALLENGE.format("n1"))
        here.grant(await here.register(), 10)
        here.carrier.answer(await here.register(), 401, www_authenticate=CHALLENGE.format("n2"))
        if fault:
            await here.carrier.quiet(60)
        else:
            assert 'nonce="n2"' in ((await here.register()).get("authorization") or "")


@in_virtual_time
@pytest.mark.parametrize("fault", ["", "sends-redirected-calls-back"])
async def test_a_carrier_that_names_another_registrar(fault: str) -> None:
    watched = Scenario("T-1", "t", (), (), (), (), (), needs=frozenset({"recursion"}))
    async with line(*filter(None, [fault]), scenario=watched) as here:
        other = Phone("g2", here.trunk.info.address)
        try:
            first = await here.register()
            here.carrier.answer(first, 302, contact=f"<sip:g1@{other.host}>")
            if fault:
                assert (await here.register()).cseq[0] > first.cseq[0]
            else:
                second = await other.receive(HOUR)
                assert (second.uri, second.cseq[0]) == (f"sip:{other.host}", first.cseq[0] + 1)
                other.answer(second, 302, contact=f"<sip:{here.carrier.host}>")
                await here.carrier.quiet(60)
        finally:
            other.close()


@in_virtual_time
async def test_without_being_told_it_follows_no_redirection() -> None:
    async with line() as here:
        here.carrier.answer(await here.register(), 302, contact="<sip:127.0.0.1:9>")
        await here.carrier.quiet(60)


@in_virtual_time
async def test_when_all_registrars_have_failed_it_waits() -> None:
    async with two_registrars() as (first, second):
        first.answer(await first.receive(HOUR), 503)
        second.answer(await second.receive(HOUR), 503)
        await first.quiet(0.9)
        assert (await first.receive(HOUR)).method == "REGISTER"


def test_what_it_can_is_in_the_vocabulary() -> None:
    assert ReferenceTrunk.capabilities <= set(CAPABILITIES)
    assert len(set(FAULTS)) == len(FAULTS)
    with pytest.raises(SystemFailed, match="has not been started"):
        _ = ReferenceTrunk().info


def test_times_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="retry is 0s: it must be more"):
        Patience(retry=0.0)
