"""Calls to carriers through Kamailio: routes of each run, and settings of the failover."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path

import pytest
from udp_phone import Phone, Stage, run

from sip_harness.language import load
from sip_harness.model.scenario import Device, Scenario, Target
from sip_harness.model.script import Script
from sip_harness.model.verdict import Outcome
from sip_harness.run.session import Options, open_session
from sip_harness.systems.base import CannotBind, Lease, SystemFailed
from sip_harness.systems.kamailio import Kamailio
from sip_harness.systems.kamailio_carriers import check_carriers
from sip_harness.systems.kamailio_rpc import Rpc
from sip_harness.systems.kamailio_settings import Settings

NEEDS = pytest.mark.needs_kamailio
LIBRARY = Path(__file__).parent.parent.parent / "scenarios"


def scenario(target: Target, *carriers: str, needs: frozenset[str] = frozenset()) -> Scenario:
    return Scenario(
        id="K-1", title="t", cite=(), targets=(target,), expectations=(), calls=(), needs=needs,
        devices=tuple(Device(m, Script(((),)), kind="carrier" if m in carriers else "device") for m in target.members),
    )  # fmt: skip


PSTN = scenario(Target("pstn", "hunt", ("g1", "g2")), "g1", "g2")


def control(system: Kamailio) -> Rpc:
    assert system._rpc is not None
    return system._rpc


async def gateways(system: Kamailio) -> list[str]:
    """Every gateway that dispatcher knows, as set, address and flags, in the order of trying."""
    try:
        listing = str(await control(system).call("dispatcher.list"))
    except SystemFailed:  # what it says where there is no set at all
        return []
    return re.findall(r"'URI': '([^']*)', 'FLAGS': '(\w+)'", listing)


@NEEDS
def test_a_run_has_its_own_gateways_and_leaves_none():
    async def main() -> None:
        async with Stage(Kamailio()) as stage:
            system = stage.system
            plain, probed = Lease("abcd", 1), Lease("abcd", 2)
            probing = scenario(PSTN.targets[0], "g1", "g2", needs=frozenset({"probing"}))
            bound = {plain: system.bind(PSTN, plain), probed: system.bind(probing, probed)}
            addresses = {lease: ["{}:{}".format(*a) for a in b.listens.values()] for lease, b in bound.items()}
            assert len({*addresses[plain], *addresses[probed]}) == 4
            await asyncio.gather(system.admit(PSTN, plain, bound[plain]), system.admit(probing, probed, bound[probed]))
            found = dict(await gateways(system))
            assert found == {f"sip:{a}": "AX" for a in addresses[plain]} | {f"sip:{a}": "AP" for a in addresses[probed]}
            assert "pstn-abcdx1" in str(await control(system).call("htable.dump", "carriers"))
            await system.release(plain)
            assert [uri for uri, _ in await gateways(system)] == [f"sip:{a}" for a in addresses[probed]]
            await system.release(probed)
            await system.release(probed)
            assert await gateways(system) == []
            assert "pstn" not in str(await control(system).call("htable.dump", "carriers"))

    run(main())


@NEEDS
@pytest.mark.parametrize(
    ("target", "carriers", "reason"),
    [
        (
            Target("pstn", "hunt", ("desk", "g1")),
            ("g1",),
            "cannot hunt through carriers and devices alike as pstn must",
        ),
        (
            Target("pstn", "hunt", ("g1", "g2"), together=(("g1", "g2"),)),
            ("g1", "g2"),
            "cannot try carriers at once as pstn must",
        ),
    ],
)
def test_what_dispatcher_cannot_do_is_refused(target, carriers, reason):
    async def main() -> None:
        async with Stage(Kamailio()) as stage:
            with pytest.raises(CannotBind, match=f"^kamailio {reason}$"):
                stage.system.bind(scenario(target, *carriers), Lease("abcd", 1))

    run(main())


def test_nobody_connects_to_a_carrier_behind_a_websocket():
    behind = replace(PSTN, devices=tuple(replace(device, transport="wss") for device in PSTN.devices))
    with pytest.raises(
        CannotBind, match=r"^kamailio-ws cannot reach g1, g2: nobody can connect to a WebSocket client$"
    ):
        check_carriers(behind, "kamailio-ws")


@NEEDS
def test_only_a_run_that_needs_it_is_probed_and_who_answers_is_there():
    """404 is an answer (RFC 3261 11); silence is none."""

    async def main() -> None:
        async with Stage(Kamailio(settings=Settings(transaction=0.5))) as stage:
            system, lease = stage.system, Lease("abcd", 1)
            probing = replace(PSTN, needs=frozenset({"probing"}))
            binding = system.bind(probing, lease)
            quiet = system.bind(PSTN, Lease("abcd", 2))
            phones = {name: stage.phone(name) for name in ("g1", "g2", "spare")}
            places = {**binding.listens, "spare": quiet.listens["g1"]}
            for name, phone in phones.items():
                phone.move(places[name])
            await system.admit(PSTN, Lease("abcd", 2), quiet)
            await system.admit(probing, lease, binding)
            states = [f"sip:{host}:{port}" for host, port in binding.listens.values()]

            async def answer(phone: Phone, code: int) -> None:
                while True:
                    phone.answer(await phone.expect("OPTIONS"), code)

            answering = asyncio.create_task(answer(phones["g2"], 404))
            await until(system, states[0], "IP")
            assert dict(await gateways(system))[states[1]] == "AP"
            answering_too = asyncio.create_task(answer(phones["g1"], 200))
            await until(system, states[0], "AP")
            for task in (answering, answering_too):
                task.cancel()
            await phones["spare"].quiet(0.01)

    run(main())


async def until(system: Kamailio, uri: str, state: str) -> None:
    while dict(await gateways(system))[uri] != state:
        await asyncio.sleep(0.02)


@NEEDS
def test_a_system_that_is_gone_admits_nobody_and_releases_quietly():
    async def main() -> None:
        system = Kamailio()
        await system.start()
        lease = Lease("abcd", 1)
        binding = system.bind(PSTN, lease)
        await system.admit(PSTN, lease, binding)
        carriers = system._carriers
        assert carriers is not None
        await system.stop()
        with pytest.raises(SystemFailed, match="kamailio is not running"):
            await system.admit(PSTN, lease, binding)
        await system.release(lease)
        await carriers.release(lease)

    run(main())


@NEEDS
def test_a_command_that_is_refused_is_told():
    async def main() -> None:
        async with Stage(Kamailio()) as stage:
            with pytest.raises(SystemFailed, match=r"kamailio refuses dispatcher.frob\[1\]: .*Not Found"):
                await control(stage.system).call("dispatcher.frob", 1)

    run(main())


def test_where_there_is_no_control_socket_it_is_told(tmp_path):
    with pytest.raises(SystemFailed, match="no remote control at"):
        Rpc(tmp_path)


@NEEDS
def test_twenty_runs_side_by_side_do_not_meet():
    async def main() -> None:
        [one] = load([LIBRARY / "carriers" / "503-moves-the-call-on.sip.yaml"])
        async with open_session(Kamailio(), Options(stack="wire", jobs=8), [one]) as session:
            results = await asyncio.gather(*(session.run(one, repeat) for repeat in range(20)))
            assert [r.verdict.outcome for r in results] == [Outcome.PASS] * 20
            assert isinstance(session.system, Kamailio)
            assert await gateways(session.system) == []

    run(main())


@NEEDS
@pytest.mark.parametrize(
    ("settings", "heard"),
    [
        (Settings(failover=frozenset({404})), "alice got 500 Service Unavailable made by the system itself instead"),
        (Settings(failover=frozenset(), remap_503_500=False), "alice got 503 Service Unavailable from g1 instead"),
    ],
)
def test_codes_of_the_failover_can_be_set(settings, heard):
    async def main() -> None:
        [one] = load([LIBRARY / "carriers" / "503-moves-the-call-on.sip.yaml"])
        async with open_session(Kamailio(settings=settings), Options(stack="wire"), [one]) as session:
            result = await session.run(one)
            assert result.verdict.outcome == Outcome.FAIL
            assert heard in str([f.seen for f in result.verdict.findings])

    run(main())


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="failover codes are final failures, 300 to 699, not 183"):
        Settings(failover=frozenset({183, 503}))
    assert Settings(remap_503_500=False).policy().codes["503"] == 503


@NEEDS
def test_a_flapping_gateway_where_three_probes_in_a_row_are_asked_for():
    """Failures come between two probes: Kamailio resets its count with whatever comes first of what comes at once."""
    shipped = load([LIBRARY / "carriers" / "flapping-gateway.sip.yaml"])

    async def main() -> list[Outcome]:
        system = Kamailio(settings=Settings(transaction=0.5, probes_in_a_row=3))
        async with open_session(system, Options("wire", 4), []) as session:
            return [result.verdict.outcome for result in await asyncio.gather(*map(session.run, shipped))]

    assert run(main()) == [Outcome.PASS] * 2
    assert "damped-probing" not in Kamailio(settings=Settings(probes_in_a_row=2))._capabilities()
