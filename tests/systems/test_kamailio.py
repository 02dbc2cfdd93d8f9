"""Kamailio under our configuration, seen from the wire."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import statistics
import time
from pathlib import Path

import pytest
from udp_phone import Phone, Stage, authorization, eventually, run

from sip_harness.model.entry import Exit, Log
from sip_harness.model.faults import FAULTS
from sip_harness.model.scenario import Call, Device, Scenario, Target
from sip_harness.model.script import Script
from sip_harness.model.system import User
from sip_harness.model.vocabulary import GRANTED
from sip_harness.sip.message import Message, parse
from sip_harness.systems import kamailio, kept
from sip_harness.systems.base import Lease, SystemFailed
from sip_harness.systems.kamailio import Kamailio
from sip_harness.systems.kamailio_settings import Settings
from sip_harness.systems.names import UnknownName

ALL = {
    *GRANTED, "register", "ring", "hunt", "mixed", "min-expires", "path", "carriers", "stays-after-ringing", "probing",
    "recursion", "bars-premium-numbers", "max-contacts", "anonymous-rejection", "tcp",
}  # fmt: skip
NEEDS = pytest.mark.needs_kamailio


def bob(system: Kamailio) -> str:
    return f"sip:bob@{system.info.domain}"


async def fork(stage: Stage, *users: str) -> tuple[Phone, Message, list[tuple[Phone, Message]]]:
    """Alice calls bob; returns her, her INVITE, and each phone with the INVITE that it got."""
    phones = await stage.registered(*(users or ("bob", "bob")))
    alice = stage.phone("alice")
    invite = alice.request("INVITE", bob(stage.system))
    return alice, invite, [(phone, await phone.expect("INVITE")) for phone in phones]


async def ring(alice: Phone, *ringing: tuple[Phone, Message]) -> None:
    for phone, invite in ringing:
        phone.answer(invite, 180, "Ringing")
        await alice.expect(180)


async def final(alice: Phone, invite: Message, code: int) -> Message:
    """Take a final failure and acknowledge it."""
    response = await alice.expect(code)
    alice.again("ACK", invite, to=response.get("to") or "")
    return response


def group_is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def port_is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        try:
            udp.bind(("127.0.0.1", port))
            tcp.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def kept_of(system: Kamailio):
    assert system._kept is not None
    return system._kept


@NEEDS
class TestLife:
    def test_it_starts_answers_and_leaves_nothing(self, record_property):
        async def main() -> None:
            starts, stops = [], []
            system = Kamailio()
            for _ in range(5):
                begin = time.perf_counter()
                await system.start()
                starts.append(time.perf_counter() - begin)
                port, group, directory = system.info.address[1], kept_of(system).pid, kept_of(system).directory
                assert directory is not None
                assert directory.is_dir()
                assert not port_is_free(port)
                begin = time.perf_counter()
                await system.stop()
                stops.append(time.perf_counter() - begin)
                assert group_is_gone(group)
                assert port_is_free(port)
                assert not directory.exists()
                assert system.info.address[1] == port
            record_property("ready_ms", round(statistics.median(starts) * 1000, 1))
            record_property("stop_ms", round(statistics.median(stops) * 1000, 1))
            await system.stop()

        run(main())

    def test_what_it_tells_of_itself(self):
        async def main() -> None:
            async with Stage(Kamailio(faults=("maps-600-to-486",))) as stage:
                info = stage.system.info
                assert (info.name, info.kind, info.address[0]) == ("kamailio", "proxy", "127.0.0.1")
                assert info.domain == f"127.0.0.1:{info.address[1]}"
                assert info.capabilities == ALL
                assert info.faults == ("maps-600-to-486",)
                assert re.fullmatch(r"\d+\.\d+\.\d+.*", info.versions["kamailio"])
                assert info.password == ""
                assert info.policy.timers["transaction"].seconds == 1.0
                assert info.policy.timers["ring"].seconds == 3.0

        run(main())

    def test_before_the_start_nothing_is_known(self):
        system = Kamailio()
        with pytest.raises(SystemFailed, match="kamailio has not been started"):
            system.info  # noqa: B018

    def test_a_second_start_is_refused(self):
        async def main() -> None:
            async with Stage(Kamailio()) as stage:
                with pytest.raises(SystemFailed, match="already"):
                    await stage.system.start()
                assert (await stage.registered("bob"))[0].user == "bob"

        run(main())

    def test_ten_at_once_have_ports_of_their_own(self):
        async def main() -> None:
            systems = [Kamailio() for _ in range(10)]
            try:
                await asyncio.gather(*(system.start() for system in systems))
                assert len({system.info.address for system in systems}) == 10
                for system in systems:
                    phone = Phone("bob", system.info.address)
                    assert (await phone.register()).code == 200
                    phone.close()
            finally:
                await asyncio.gather(*(system.stop() for system in systems))

        run(main())

    @pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
    def test_a_port_that_is_taken_makes_it_try_another(self, monkeypatch, kind):
        free = kamailio.free_port

        async def main() -> None:
            with socket.socket(socket.AF_INET, kind) as taken:
                taken.bind(("127.0.0.1", 0))
                if kind == socket.SOCK_STREAM:
                    taken.listen()
                ports = [taken.getsockname()[1]] * 2
                monkeypatch.setattr(kamailio, "free_port", lambda host: ports.pop() if ports else free(host))
                async with Stage(Kamailio()) as stage:
                    assert ports == []
                    assert stage.system.info.address[1] != taken.getsockname()[1]
                    await stage.registered("bob")

        run(main())

    def test_when_every_port_is_taken_it_gives_up_and_says_so(self, monkeypatch):
        async def main() -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
                taken.bind(("127.0.0.1", 0))
                monkeypatch.setattr(kamailio, "free_port", lambda host: taken.getsockname()[1])
                with pytest.raises(
                    SystemFailed, match=r"ended while starting \(attempt 5\)(.|\n)*Address already in use"
                ):
                    await Kamailio().start()

        run(main())

    def test_another_instance_on_the_port_is_not_taken_for_ours(self, monkeypatch):
        async def main() -> None:
            async with Stage(Kamailio()) as stage:
                free, ports = kamailio.free_port, [stage.system.info.address[1]]
                monkeypatch.setattr(kamailio, "free_port", lambda host: ports.pop() if ports else free(host))
                async with Stage(Kamailio()) as second:
                    assert second.system.info.address != stage.system.info.address

        run(main())

    def test_a_broken_configuration_is_explained(self, tmp_path, monkeypatch):
        broken = tmp_path / "broken.cfg"
        broken.write_text("#!KAMAILIO\nrequest_route { nonsense( }\n")
        monkeypatch.setattr(kamailio, "_CONFIG", broken)
        with pytest.raises(SystemFailed, match=r"ended while starting; its last log lines:(.|\n)*broken.cfg, line 2"):
            run(Kamailio().start())

    def test_the_first_of_many_errors_is_shown(self, tmp_path, monkeypatch):
        broken = tmp_path / "broken.cfg"
        broken.write_text(kamailio._CONFIG.read_text().replace('loadmodule "tm.so"', 'loadmodule "nosuch.so"'))
        monkeypatch.setattr(kamailio, "_CONFIG", broken)
        with pytest.raises(SystemFailed) as caught:
            run(Kamailio().start())
        text = str(caught.value)
        assert "could not find module <nosuch" in text
        assert "[...]" in text
        assert "bad config file" in text
        assert text.count("\n") < 30

    @pytest.mark.parametrize(
        ("setting", "other", "why"),
        [
            ('"transport", 4)', '"transport", 2)', r"has no remote control at \S+/control: .*No such file"),
            (
                '"dgram_socket", "control")',
                '"dgram_socket", "nodir/control")',
                r"ended while starting(.|\n)*bind: No such",
            ),
            ('"dgram_socket", "control")', f'"dgram_socket", "{"x" * 200}")', r"ended while(.|\n)*path is too long"),
        ],
    )
    def test_without_its_remote_control_it_does_not_come_up(self, tmp_path, monkeypatch, setting, other, why):
        config = tmp_path / "other.cfg"
        config.write_text(kamailio._CONFIG.read_text().replace(setting, other))
        monkeypatch.setattr(kamailio, "_CONFIG", config)
        monkeypatch.setattr(kept.tempfile, "tempdir", str(tmp_path))

        async def main() -> None:
            system = Kamailio()
            with pytest.raises(SystemFailed, match=why) as caught:
                await system.start()
            assert "its last log lines:\n" in str(caught.value)
            await system.stop()

        run(main())
        assert list(tmp_path.glob("sip-harness-*")) == []

    @pytest.mark.parametrize("whom", ["main process", "keeper"])
    def test_who_is_killed_while_it_starts_has_ended(self, monkeypatch, whom):
        async def never(address: object, instance: str) -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(kamailio, "until_answer", never)

        async def main() -> None:
            system = Kamailio()
            task = asyncio.create_task(system.start())
            await eventually(lambda: system._kept is not None and system._kept.pid, "start of the process")
            mine = kept_of(system)
            main_process = mine.pid
            assert mine._process is not None
            os.kill(main_process if whom == "main process" else mine._process.pid, signal.SIGKILL)
            with pytest.raises(SystemFailed, match="ended while starting"):
                await task
            await eventually(lambda: group_is_gone(main_process), "end of the group")
            assert mine.directory is not None
            assert not mine.directory.exists()

        run(main())

    def test_an_odd_answer_is_no_readiness(self, monkeypatch):
        async def odd(address: object, instance: str) -> None:
            raise OSError("somebody else answers")

        monkeypatch.setattr(kamailio, "until_answer_on_tcp", odd)
        with pytest.raises(SystemFailed, match=r"did not answer as it should \(somebody else answers\); its last log"):
            run(Kamailio().start())

    def test_where_no_process_can_be_started_it_says_so(self, monkeypatch):
        def full(host: str) -> int:
            raise OSError("no port of 127.0.0.1 is free")

        monkeypatch.setattr(kamailio, "free_port", full)
        with pytest.raises(SystemFailed, match="could not be started: no port"):
            run(Kamailio().start())

    def test_a_start_that_is_cancelled_leaves_nothing(self):
        async def main() -> None:
            system = Kamailio()
            task = asyncio.create_task(system.start())
            await eventually(lambda: system._kept is not None and system._kept.pid, "start of the process")
            kept = kept_of(system)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert group_is_gone(kept.pid)
            assert kept.directory is not None
            assert not kept.directory.exists()
            await system.start()
            await system.stop()

        run(main())

    def test_a_killed_main_process_is_told_and_leaves_nothing(self):
        async def main() -> None:
            heard: list[Log | Exit] = []
            async with Stage(Kamailio()) as stage:
                system, kept = stage.system, kept_of(stage.system)
                port = system.info.address[1]
                system.watch(heard.append)
                os.kill(kept.pid, signal.SIGKILL)
                await eventually(lambda: any(isinstance(entry, Exit) for entry in heard), "word of the exit")
                exits = [entry for entry in heard if isinstance(entry, Exit)]
                assert [(e.agent, e.status) for e in exits] == [("", -9)]
                assert any("Listening on" in line for line in exits[0].stderr)
                assert group_is_gone(kept.pid)
                assert port_is_free(port)
                assert not kept.directory.exists()
                await system.stop()
                await system.start()
                await stage.registered("bob")

        run(main())

    def test_a_killed_worker_ends_it_and_is_told(self):
        async def main() -> None:
            heard: list[Log | Exit] = []
            async with Stage(Kamailio()) as stage:
                kept = kept_of(stage.system)
                stage.system.watch(heard.append)
                children = Path(f"/proc/{kept.pid}/task/{kept.pid}/children").read_text().split()
                os.kill(int(children[0]), signal.SIGKILL)
                await eventually(lambda: any(isinstance(entry, Exit) for entry in heard), "word of the exit")
                assert isinstance(heard[-1], Exit)
                assert heard[-1].status != 0
                assert any("exited by a signal 9" in line for line in heard[-1].stderr)
                assert group_is_gone(kept.pid)

        run(main())

    def test_every_process_is_there_once_it_has_started(self):
        """A process that is still to be forked, or just being so, misses the SIGTERM of a stop that comes at once."""

        async def main() -> None:
            async with Stage(Kamailio()) as stage:
                children = Path(f"/proc/{kept_of(stage.system).pid}/task/{kept_of(stage.system).pid}/children")
                first = children.read_text().split()
                await stage.registered("bob")
                await asyncio.sleep(0.1)  # for processes that should not come any more
                assert children.read_text().split() == first
                assert len(first) > 3

        run(main())

    def test_a_killed_keeper_is_told_too(self):
        async def main() -> None:
            heard: list[Log | Exit] = []
            async with Stage(Kamailio()) as stage:
                kept, port = kept_of(stage.system), stage.system.info.address[1]
                stage.system.watch(heard.append)
                keeper = int(Path(f"/proc/{kept.pid}/stat").read_text().rpartition(")")[2].split()[1])
                os.kill(keeper, signal.SIGKILL)
                await eventually(lambda: any(isinstance(entry, Exit) for entry in heard), "word of the exit")
                exits = [entry for entry in heard if isinstance(entry, Exit)]
                assert "keeper was killed" in exits[0].stderr[-1]
                await eventually(lambda: port_is_free(port), "a free port")

        run(main())

    def test_a_stop_that_was_asked_for_is_no_exit(self):
        async def main() -> None:
            heard: list[Log | Exit] = []
            system = Kamailio()
            system.watch(heard.append)
            await system.start()
            before = len(heard)
            await system.stop()
            assert before > 0
            assert heard[before:] == []

        run(main())

    def test_watchers_get_lines_that_name_the_user_until_they_leave(self):
        async def main() -> None:
            heard: list[Log | Exit] = []
            other: list[Log | Exit] = []
            async with Stage(Kamailio()) as stage:
                leave = stage.system.watch(heard.append)
                stage.system.watch(other.append)
                begin = time.time_ns()
                alice, invite, [(phone, got)] = await fork(stage, "bob")
                await eventually(lambda: any("branch 0" in e.text for e in heard if isinstance(e, Log)), "a log line")
                line = next(e for e in heard if isinstance(e, Log) and "branch 0" in e.text)
                assert f"bob: branch 0 to {phone.contact}" in line.text
                assert begin < line.time < time.time_ns()
                leave()
                leave()
                count = len(heard)
                await phone.decline(got, 486)
                await final(alice, invite, 486)
                await eventually(
                    lambda: any("best response 486" in e.text for e in other if isinstance(e, Log)), "a line"
                )
                assert len(heard) == count

        run(main())


class TestWithoutTheProgram:
    def test_the_remedy_is_named(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(kamailio, "_ALSO", (str(tmp_path / "a"), str(tmp_path / "b")))
        with pytest.raises(SystemFailed, match="install Debian's package kamailio"):
            run(Kamailio().start())

    def test_it_is_found_off_the_path(self, tmp_path, monkeypatch):
        sbin = tmp_path / "sbin"
        sbin.mkdir()
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(kamailio, "_ALSO", (str(tmp_path / "none"), str(sbin)))
        program = sbin / "kamailio"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        assert kamailio.find_binary() == str(program)

    @pytest.mark.parametrize(
        ("script", "match"),
        [
            ("echo about to hang; exec sleep 300", r"did not answer within 0.5s; its last log lines:\n  about to hang"),
            ("exit 1", r"ended while starting; its last log lines:\n  \(none\)"),
        ],
    )
    def test_a_program_that_never_answers_is_given_up(self, tmp_path, monkeypatch, script, match):
        program = tmp_path / "kamailio"
        program.write_text(f'#!/bin/sh\n[ "$1" = -v ] && exit 0\n{script}\n')
        program.chmod(0o755)
        monkeypatch.setattr(kamailio, "_PATIENCE", 0.5)
        monkeypatch.setattr(kamailio, "find_binary", lambda: str(program))
        with pytest.raises(SystemFailed, match=match):
            run(Kamailio().start())

    def test_a_version_that_it_does_not_state_is_unknown(self, tmp_path):
        assert kamailio.version_of(str(tmp_path / "nowhere")) == "unknown"
        assert kamailio.version_of("/bin/true") == "unknown"


class TestParameters:
    def test_a_fault_that_it_does_not_have_names_those_it_has(self):
        with pytest.raises(UnknownName) as caught:
            Kamailio(faults=("fork-on-after-6xx",))
        assert str(caught.value) == (
            f"unknown fault 'fork-on-after-6xx'; did you mean forks-on-after-6xx? known: {', '.join(kamailio.FAULTS)}"
        )

    def test_every_fault_is_in_the_vocabulary(self):
        assert set(kamailio.FAULTS) <= set(FAULTS)

    @pytest.mark.parametrize(
        ("timers", "name"),
        [
            ({"transaction": 0.1}, "transaction"),
            ({"ring": float("nan")}, "ring"),
            ({"probe": 0}, "probe"),
        ],
    )
    def test_a_timer_too_short_to_judge_by_is_refused(self, timers, name):
        with pytest.raises(ValueError, match=f"timer {name} is"):
            Settings(**timers)

    @pytest.mark.parametrize("number", [0, 101])
    def test_a_number_of_probes_that_makes_no_sense_is_refused(self, number):
        with pytest.raises(ValueError, match=f"probes-in-a-row is {number}: from 1 to 100"):
            Settings(probes_in_a_row=number)

    def test_prompt_stays_below_half_of_the_shortest_timer(self):
        assert Settings().policy().prompt == 0.4
        assert Settings(transaction=0.5).policy().prompt == 0.25
        assert Settings(ring=0.4).policy().prompt == 0.2


@NEEDS
class TestRegistrar:
    def test_a_registration_lists_all_contacts_of_the_user_and_can_be_taken_back(self):
        async def main() -> None:
            async with Stage(Kamailio()) as stage:
                first, second = await stage.registered("bob", "bob")
                answer = await second.register()
                assert {first.contact, second.contact} == set(re.findall(r"<(sip:[^>]+)>", str(answer.all("contact"))))
                answer = await second.register(contact=f"<{second.contact}>;expires=0")
                assert re.findall(r"<(sip:[^>]+)>", str(answer.all("contact"))) == [first.contact]

        run(main())

    def test_the_user_part_is_case_sensitive(self):
        async def main() -> None:
            async with Stage(Kamailio()) as stage:
                await stage.registered("Bob")
                alice = stage.phone("alice")
                await final(alice, alice.request("INVITE", bob(stage.system)), 480)

        run(main())

    def test_it_is_the_registrar_of_its_own_domain_only(self):
        async def main() -> None:
            async with Stage(Kamailio()) as stage:
                phone = stage.phone("bob")
                phone.request("REGISTER", "sip:example.com", to="<sip:bob@example.com>")
                await phone.expect(403)

        run(main())


@NEEDS
class TestForking:
    def test_all_contacts_ring_at_once_and_the_first_to_answer_gets_the_call(self):
        async def main() -> None:
            async with Stage(Kamailio()) as stage:
                alice, invite, [(desk, at_desk), (mobile, at_mobile)] = await fork(stage)
                assert at_desk.branch != at_mobile.branch
                assert at_desk.call_id == at_mobile.call_id == invite.call_id
                await ring(alice, (desk, at_desk), (mobile, at_mobile))
                desk.answer(at_desk, 200, "OK")
                answered = await alice.expect(200)
                cancel = await mobile.cancelled(at_mobile)
                assert "cause=200" in (cancel.get("Reason") or "")
                route = ("Route", answered.get("record-route") or "")
                assert route[1]
                alice.request(
                    "ACK", desk.contact, to=answered.get("to") or "", headers=(route,), call_id=invite.call_id,
                    from_=invite.get("from") or "", cseq=invite.cseq[0], contact="",
                )  # fmt: skip
                ack = await desk.expect("ACK")
                assert ack.uri == desk.contact
                alice.request(
                    "BYE", desk.contact, to=answered.get("to") or "", headers=(route,), call_id=invite.call_id,
                    from_=invite.get("from") or "", cseq=invite.cseq[0] + 1,
                )  # fmt: skip
                desk.answer(await desk.expect("BYE"), 200, "OK")
                assert (await alice.expect(200)).cseq[1] == "BYE"

        run(main())

    def test_a_486_does_not_stop_the_other_phone(self):
        async def main() -> None:
            async with Stage(Kamailio()) as stage:
                alice, invite, [(desk, at_desk), (mobile, at_mobile)] = await fork(stage)
                await ring(alice, (mobile, at_mobile))
                await desk.decline(at_desk, 486)
                await mobile.quiet()
                mobile.answer(at_mobile, 183)
                await alice.expect(183)
                await mobile.decline(at_mobile, 404)
                await final(alice, invite, 404)

        run(main())

    @pytest.mark.parametrize("code", [600, 603, 604])
    def test_a_6xx_stops_the_other_phone_at_once(self, code):
        async def main() -> None:
            async with Stage(Kamailio()) as stage:
                alice, invite, [(desk, at_desk), (mobile, at_mobile)] = await fork(stage)
                await ring(alice, (mobile, at_mobile))
                begin = time.monotonic()
                await desk.decline(at_desk, code)
                cancel = await mobile.cancelled(at_mobile)
                assert mobile.times[-2] - begin < stage.system.info.policy.prompt
                assert f"cause={code}" in (cancel.get("Reason") or "")
                response = await final(alice, invite, code)
                assert response.to_tag == desk.host.partition(":")[2]  # the response of the phone, not one of ours

        run(main())

    def test_a_caller_who_gives_up_stops_all_phones(self):
        async def main() -> None:
            async with Stage(Kamailio()) as stage:
                alice, invite, phones = await fork(stage)
                await ring(alice, *phones)
                alice.again("CANCEL", invite)
                assert (await alice.expect(200)).cseq[1] == "CANCEL"
                for phone, got in phones:
                    await phone.cancelled(got)
                await final(alice, invite, 487)

        run(main())

    def test_a_large_group_rings_completely(self):
        async def main() -> None:
            async with Stage(Kamailio()) as stage:
                alice, invite, phones = await fork(stage, *["bob"] * 20)
                assert len({got.branch for _, got in phones}) == 20
                for phone, got in phones:
                    await phone.decline(got, 486)
                await final(alice, invite, 486)

        run(main())

    def test_a_user_without_a_contact_is_unavailable(self):
        async def main() -> None:
            async with Stage(Kamailio()) as stage:
                alice = stage.phone("alice")
                await final(alice, alice.request("INVITE", bob(stage.system)), 480)

        run(main())

    def test_a_retransmitted_invite_reaches_nobody_twice(self):
        async def main() -> None:
            async with Stage(Kamailio()) as stage:
                alice, invite, [(desk, at_desk)] = await fork(stage, "bob")
                await ring(alice, (desk, at_desk))
                alice.send(invite.data)
                await alice.expect(180)
                await desk.quiet(0.2)
                await desk.decline(at_desk, 486)
                await final(alice, invite, 486)

        run(main())

    def test_a_phone_that_answers_nothing_counts_as_408_after_the_transaction_timer(self):
        async def main() -> None:
            async with Stage(Kamailio(settings=Settings(transaction=0.6))) as stage:
                timer = stage.system.info.policy.timers["transaction"]
                alice, invite, [(phone, _)] = await fork(stage, "bob")
                await final(alice, invite, 408)
                waited = alice.times[-1] - phone.times[-1]
                assert timer.seconds - timer.early < waited < timer.seconds + timer.late

        run(main())

    def test_a_phone_that_only_rings_is_cancelled_after_the_ring_timer(self):
        async def main() -> None:
            async with Stage(Kamailio(settings=Settings(ring=0.8))) as stage:
                timer = stage.system.info.policy.timers["ring"]
                alice, invite, [(phone, got)] = await fork(stage, "bob")
                await ring(alice, (phone, got))
                await phone.expect("CANCEL")
                waited = phone.times[-1] - alice.times[-1]
                assert timer.seconds - timer.early < waited < timer.seconds + timer.late
                await final(alice, invite, 408)

        run(main())


@NEEDS
class TestManners:
    def test_a_cancel_of_nothing_gets_481(self):
        async def main() -> None:
            async with Stage(Kamailio()) as stage:
                alice = stage.phone("alice")
                alice.request("CANCEL", bob(stage.system))
                await alice.expect(481)

        run(main())

    def test_too_many_hops(self):
        async def main() -> None:
            async with Stage(Kamailio()) as stage:
                alice = stage.phone("alice")
                alice.request("OPTIONS", bob(stage.system), hops="0")
                await alice.expect(483)

        run(main())

    def test_a_request_in_no_dialog_of_ours_gets_404(self):
        async def main() -> None:
            async with Stage(Kamailio()) as stage:
                alice = stage.phone("alice")
                alice.request("BYE", bob(stage.system), to=f"<{bob(stage.system)}>;tag=made-up")
                await alice.expect(404)

        run(main())

    def test_it_relays_to_no_other_domain(self):
        async def main() -> None:
            async with Stage(Kamailio()) as stage:
                alice = stage.phone("alice")
                await final(alice, alice.request("INVITE", "sip:bob@192.0.2.1"), 403)

        run(main())

    @pytest.mark.parametrize("host", ["192.0.2.1", "192.0.2.1;transport=tcp", "127.0.0.1.example.com", "[2001:db8::1]"])
    def test_a_contact_off_this_machine_is_never_called(self, host):
        async def main() -> None:
            heard: list[Log | Exit] = []
            async with Stage(Kamailio()) as stage:
                stage.system.watch(heard.append)
                phone = stage.phone("bob")
                assert (await phone.register(contact=f"<sip:bob@{host}>")).code == 200
                alice = stage.phone("alice")
                invite = alice.request("INVITE", bob(stage.system))
                response = await alice.receive()
                assert 400 <= response.code < 700
                alice.again("ACK", invite, to=response.get("to") or "")
                await eventually(
                    lambda: any("not on loopback" in e.text for e in heard if isinstance(e, Log)), "a line"
                )

        run(main())

    def test_other_methods_reach_the_phone_too(self):
        async def main() -> None:
            async with Stage(Kamailio()) as stage:
                (phone,) = await stage.registered("bob")
                alice = stage.phone("alice")
                alice.request("MESSAGE", bob(stage.system))
                phone.answer(await phone.expect("MESSAGE"), 202, "Accepted")
                await alice.expect(202)

        run(main())

    def test_the_same_port_answers_on_tcp(self):
        async def main() -> None:
            async with Stage(Kamailio()) as stage:
                reader, writer = await asyncio.open_connection(*stage.system.info.address)
                host = "{}:{}".format(*writer.get_extra_info("sockname"))
                writer.write(
                    f"OPTIONS sip:{stage.system.info.domain} SIP/2.0\r\nVia: SIP/2.0/TCP {host};branch=z9hG4bKa\r\n"
                    f"From: <sip:a@{host}>;tag=1\r\nTo: <sip:{stage.system.info.domain}>\r\nCall-ID: a\r\n"
                    "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n".encode()
                )
                answer = parse(await reader.readuntil(b"\r\n\r\n"))
                assert answer.code == 200
                writer.close()
                await writer.wait_closed()

        run(main())

    @pytest.mark.parametrize(
        "junk", [b"\x00" * 100, b"INVITE\r\n\r\n", b"INVITE sip: SIP/2.0\r\nVia: x\r\n\r\n", b"%s%n" * 500]
    )
    def test_junk_does_not_end_it(self, junk):
        async def main() -> None:
            async with Stage(Kamailio()) as stage:
                phone = stage.phone("bob")
                phone.send(junk)
                assert (await phone.register()).code in (200, 400)

        run(main())


@NEEDS
class TestDigest:
    def test_a_registration_is_challenged(self):
        async def main() -> None:
            async with Stage(Kamailio(digest=True)) as stage:
                assert stage.system.info.name == "kamailio-digest"
                assert stage.system.info.capabilities == ALL | {"digest"}
                phone = stage.phone("bob")
                answer = await phone.register()
                assert answer.code == 401
                assert 'qop="auth"' in (answer.get("WWW-Authenticate") or "")
                assert (await phone.register(password="wrong")).code == 401
                assert (await phone.register(password=stage.system.info.password)).code == 200

        run(main())

    def test_a_caller_is_challenged_and_its_credentials_go_no_further(self):
        async def main() -> None:
            async with Stage(Kamailio(digest=True)) as stage:
                (phone,) = await stage.registered("bob")
                alice = stage.phone("alice")
                invite = alice.request("INVITE", bob(stage.system))
                for password in ("wrong", stage.system.info.password):
                    refused = await final(alice, invite, 407)
                    challenge = refused.get("Proxy-Authenticate") or ""
                    credentials = ("Proxy-Authorization", authorization(challenge, invite, "alice", password))
                    invite = alice.again("INVITE", invite, credentials, cseq=invite.cseq[0] + 1)
                got = await phone.expect("INVITE")
                assert got.get("Proxy-Authorization") is None
                assert got.cseq[0] == 3
                await ring(alice, (phone, got))
                alice.again("CANCEL", invite)  # never challenged (RFC 3261 22.1)
                assert (await alice.expect(200)).cseq[1] == "CANCEL"
                await phone.cancelled(got)
                await final(alice, invite, 487)

        run(main())

    def test_without_it_nobody_is_challenged(self):
        async def main() -> None:
            async with Stage(Kamailio()) as stage:
                assert (await stage.phone("bob").register()).code == 200

        run(main())


@NEEDS
class TestFaults:
    """Each switch does what the vocabulary says. That the system does right without them is shown in TestForking."""

    def test_forks_on_after_6xx(self):
        async def main() -> None:
            async with Stage(Kamailio(faults=("forks-on-after-6xx",))) as stage:
                alice, _, [(desk, at_desk), (mobile, at_mobile)] = await fork(stage)
                await ring(alice, (mobile, at_mobile))
                await desk.decline(at_desk, 600)
                await mobile.quiet()
                mobile.answer(at_mobile, 200, "OK")
                await alice.expect(200)

        run(main())

    def test_one_486_ends_the_fork(self):
        async def main() -> None:
            async with Stage(Kamailio(faults=("one-486-ends-the-fork",))) as stage:
                alice, invite, [(desk, at_desk), (mobile, at_mobile)] = await fork(stage)
                await ring(alice, (mobile, at_mobile))
                await desk.decline(at_desk, 486)
                await mobile.cancelled(at_mobile)
                await final(alice, invite, 486)

        run(main())

    @pytest.mark.parametrize("first", [0, 1])
    def test_one_486_ends_the_fork_whichever_phone_it_is_and_however_many_there_are(self, first):
        async def main() -> None:
            async with Stage(Kamailio(faults=("one-486-ends-the-fork",))) as stage:
                alice, invite, phones = await fork(stage, "bob", "bob", "bob")
                busy, at_busy = phones.pop(first)
                await ring(alice, *phones)
                await busy.decline(at_busy, 486)
                for phone, got in phones:
                    await phone.cancelled(got)
                await final(alice, invite, 486)

        run(main())

    def test_one_486_ends_the_fork_leaves_other_failures_alone(self):
        async def main() -> None:
            async with Stage(Kamailio(faults=("one-486-ends-the-fork",))) as stage:
                alice, _, [(desk, at_desk), (mobile, at_mobile)] = await fork(stage)
                await ring(alice, (mobile, at_mobile))
                await desk.decline(at_desk, 480)
                await mobile.quiet(0.2)
                mobile.answer(at_mobile, 200, "OK")
                await alice.expect(200)

        run(main())

    def test_maps_600_to_486(self):
        async def main() -> None:
            async with Stage(Kamailio(faults=("maps-600-to-486",))) as stage:
                alice, invite, [(desk, at_desk), (mobile, at_mobile)] = await fork(stage)
                await ring(alice, (mobile, at_mobile))
                await desk.decline(at_desk, 600)
                await mobile.cancelled(at_mobile)  # the fork still ends as it should
                response = await final(alice, invite, 486)
                assert response.reason == "Busy Here"
                await alice.quiet(0.2)

        run(main())

    def test_maps_600_to_486_leaves_603_alone(self):
        async def main() -> None:
            async with Stage(Kamailio(faults=("maps-600-to-486",))) as stage:
                alice, invite, [(desk, at_desk)] = await fork(stage, "bob")
                await desk.decline(at_desk, 603)
                await final(alice, invite, 603)

        run(main())

    def test_several_at_once(self):
        async def main() -> None:
            async with Stage(Kamailio(digest=False, faults=kamailio.FAULTS[:3])) as stage:
                alice, invite, [(desk, at_desk), (mobile, at_mobile)] = await fork(stage)
                await ring(alice, (mobile, at_mobile))
                await desk.decline(at_desk, 600)
                await mobile.quiet(0.2)
                await mobile.decline(at_mobile, 486)
                await final(alice, invite, 486)

        run(main())


@NEEDS
def test_users_of_a_binding_reach_each_other():
    scenario = Scenario(
        id="X-1", title="t", cite=(), expectations=(), targets=(Target("bob", "ring", ("desk", "mobile")),),
        devices=tuple(Device(name, Script(((),))) for name in ("desk", "mobile", "other")),
        calls=(Call("1", "alice", "bob"),),
    )  # fmt: skip

    async def main() -> None:
        async with Stage(Kamailio(digest=True)) as stage:
            binding = stage.system.bind(scenario, Lease("abcd", 7))
            assert binding.registers == {"desk", "mobile", "other"}
            assert binding.users["desk"] == binding.users["mobile"]
            assert binding.users["desk"].password == stage.system.info.password
            users: list[User] = [binding.users[name] for name in ("desk", "mobile", "other")]
            desk, mobile, other = await stage.registered(*(user.name for user in users))
            caller = stage.phone(binding.users["alice"].name)
            invite = caller.request("INVITE", binding.uris["bob"])
            refused = await final(caller, invite, 407)
            credentials = authorization(
                refused.get("Proxy-Authenticate") or "", invite, caller.user, binding.users["alice"].password
            )
            invite = caller.again("INVITE", invite, ("Proxy-Authorization", credentials), cseq=2)
            for phone in (desk, mobile):
                await phone.decline(await phone.expect("INVITE"), 486)
            await final(caller, invite, 486)
            await other.quiet(0.1)

    run(main())
