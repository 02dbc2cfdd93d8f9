"""Single requests of callers, and requests within calls: whose they are, and what has to be named."""

from __future__ import annotations

import pytest
from ladders import EPOCH, TOKEN, record, scenario

from sip_harness.model.entry import Note
from sip_harness.model.policy import Kind
from sip_harness.model.scenario import Scenario
from sip_harness.model.verdict import Outcome, Verdict
from sip_harness.verdict import judge
from sip_harness.verdict.traffic import Owner, sort_out


def asks(method: str, expect: str, devices: str = "desk: {answer: [486]}") -> Scenario:
    return scenario(devices, expect, calls=f"[{{from: alice, to: bob, method: {method}}}]")


def judged(of: Scenario, ladder: str, method: str, kind: Kind = "proxy") -> Verdict:
    """Judge a ladder whose call is a single request."""
    data = {"call": "call-1", "call_id": f"{TOKEN}-1", "method": method}
    return judge(of, record(ladder, Note(EPOCH, "alice", "call", "", data), kind=kind))


RELAYED = """
    0.000 alice > {0}
    0.001 desk < {0}
    0.002 desk > {1} to {0}
    0.003 alice < {1} to {0} from desk
"""


class TestFinals:
    @pytest.mark.parametrize("method", ["OPTIONS", "MESSAGE", "SUBSCRIBE", "NOTIFY", "PUBLISH", "INFO", "REFER"])
    @pytest.mark.parametrize("code", [200, 202, 404, 408, 603])
    def test_named_they_pass(self, method: str, code: int) -> None:
        of = asks(method, f"alice: [{code} to {method} from desk]\ndesk: [{method}]")
        assert judged(of, RELAYED.format(method, code), method).outcome is Outcome.PASS

    @pytest.mark.parametrize("code", [200, 404, 500])
    def test_another_one_fails_also_a_2xx(self, code: int) -> None:
        of = asks("MESSAGE", "alice: [202 to MESSAGE]\ndesk: [MESSAGE]")
        result = judged(of, RELAYED.format("MESSAGE", code), "MESSAGE")
        assert result.outcome is Outcome.FAIL
        [finding] = result.findings
        assert finding.observed == f"{code} Phrase to MESSAGE from desk"
        assert f"{code} Phrase to MESSAGE from desk instead" in finding.seen

    def test_a_second_one_fails(self) -> None:
        of = asks("OPTIONS", "alice: [200 to OPTIONS]\ndesk: [OPTIONS]")
        ladder = RELAYED.format("OPTIONS", 200) + "    0.100 alice < 500 to OPTIONS from system"
        result = judged(of, ladder, "OPTIONS")
        assert [f.observed for f in result.findings] == ["also 500 Phrase to OPTIONS made by the system itself"]

    def test_none_at_all_fails(self) -> None:
        of = asks("OPTIONS", "alice: [200 to OPTIONS]\ndesk: [OPTIONS]")
        result = judged(of, "0.000 alice > OPTIONS\n 0.001 desk < OPTIONS", "OPTIONS")
        assert [f.seen for f in result.findings] == ["alice never got 200 to OPTIONS"]

    def test_of_the_system_itself(self) -> None:
        of = asks("MESSAGE", "alice: [408 to MESSAGE from system]\ndesk: [MESSAGE]")
        by_system = "0.000 alice > MESSAGE\n 0.001 desk < MESSAGE\n 1.0 alice < 408 to MESSAGE from system"
        assert judged(of, by_system, "MESSAGE").outcome is Outcome.PASS
        assert judged(of, RELAYED.format("MESSAGE", 408), "MESSAGE").outcome is Outcome.FAIL

    def test_a_provisional_need_not_be_named(self) -> None:
        of = asks("OPTIONS", "alice: [200 to OPTIONS]\ndesk: [OPTIONS]")
        ladder = RELAYED.format("OPTIONS", 200) + "    0.0015 alice < 100 to OPTIONS"
        assert judged(of, ladder, "OPTIONS").outcome is Outcome.PASS

    def test_nor_a_challenge_that_was_answered(self) -> None:
        of = asks("OPTIONS", "alice: [200 to OPTIONS]\ndesk: [OPTIONS]")
        ladder = """
            0.000 alice > OPTIONS
            0.001 alice < 407 to OPTIONS from system
            0.002 alice > OPTIONS cseq=2 auth=1
            0.003 desk < OPTIONS
            0.004 desk > 200 to OPTIONS
            0.005 alice < 200 to OPTIONS from desk
        """
        assert judged(of, ladder, "OPTIONS").outcome is Outcome.PASS
        unanswered = "\n".join(ladder.splitlines()[:3])
        assert judged(of, unanswered, "OPTIONS").outcome is Outcome.FAIL

    def test_a_late_one_names_what_it_was_late_after(self) -> None:
        of = asks("OPTIONS", "alice: [200 to OPTIONS]\ndesk: [OPTIONS]")
        result = judged(of, RELAYED.format("OPTIONS", 200).replace("0.003", "2.002"), "OPTIONS")
        [finding] = result.findings
        assert finding.observed == "late 200 Phrase to OPTIONS"
        assert "2.00 s after desk sent 200" in finding.seen


class TestDevices:
    def test_the_request_has_to_be_named(self) -> None:
        of = asks("OPTIONS", "alice: [200 to OPTIONS]\ndesk: [INFO]")
        result = judged(of, RELAYED.format("OPTIONS", 200), "OPTIONS")
        assert any("desk got OPTIONS instead" in f.seen for f in result.findings)

    def test_never(self) -> None:
        of = asks("MESSAGE", "alice: [404 to MESSAGE]\ndesk: never")
        assert (
            judged(of, "0.0 alice > MESSAGE\n0.01 alice < 404 to MESSAGE from system", "MESSAGE").outcome
            is Outcome.PASS
        )
        result = judged(of, RELAYED.format("MESSAGE", 404), "MESSAGE")
        assert [f.expected for f in result.findings] == ["desk: never"]

    def test_reached(self) -> None:
        of = asks("MESSAGE", "alice: [200 to MESSAGE]\ndesk: reached")
        assert judged(of, RELAYED.format("MESSAGE", 200), "MESSAGE").outcome is Outcome.PASS
        result = judged(of, "0.0 alice > MESSAGE\n0.01 alice < 200 to MESSAGE from system", "MESSAGE")
        assert [f.seen for f in result.findings] == ["desk never got a MESSAGE"]

    def test_one_that_nobody_speaks_of_has_to_be_reached(self) -> None:
        of = asks("MESSAGE", "alice: [200 to MESSAGE]")
        assert judged(of, RELAYED.format("MESSAGE", 200), "MESSAGE").outcome is Outcome.PASS
        result = judged(of, "0.0 alice > MESSAGE\n0.01 alice < 200 to MESSAGE from system", "MESSAGE")
        assert any("desk was never called" in f.seen for f in result.findings)

    def test_a_request_of_the_system_itself_does_not_reach_anybody(self) -> None:
        of = asks("OPTIONS", "alice: [200 to OPTIONS]\ndesk: reached")
        ladder = """
            0.000 alice > OPTIONS
            0.001 desk < OPTIONS callid=ping call=7
            0.002 desk > 200 to OPTIONS callid=ping call=7
            0.003 alice < 200 to OPTIONS from system call=1
        """
        assert judged(of, ladder, "OPTIONS").outcome is Outcome.FAIL


class TestWhose:
    @pytest.mark.parametrize(
        ("method", "owner"), [("MESSAGE", Owner.CALL), ("REFER", Owner.CALL), ("OPTIONS", Owner.SYSTEM)]
    )
    def test_behind_a_b2bua_by_method(self, method: str, owner: Owner) -> None:
        ladder = f"0.0 alice > {method}\n0.01 desk < {method} callid=other"
        note = Note(EPOCH, "alice", "call", "", {"call": "c", "call_id": f"{TOKEN}-1", "method": method})
        [sent, got] = sort_out(record(ladder, note, kind="b2bua")).items
        assert (sent.owner, got.owner) == (Owner.CALL, owner)

    def test_without_such_a_call_it_is_the_systems(self) -> None:
        note = Note(EPOCH, "alice", "call", "", {"call": "c", "call_id": f"{TOKEN}-1"})
        ladder = "0.0 alice > INVITE\n0.01 desk < MESSAGE callid=other"
        assert [i.owner for i in sort_out(record(ladder, note)).items] == [Owner.CALL, Owner.SYSTEM]


class TestWithinACall:
    CALL = """
        0.000 alice > INVITE
        0.001 desk < INVITE
        0.002 desk > 200
        0.003 alice < 200 from desk
        0.004 alice > ACK to 200
        0.005 desk < ACK to 200
    """

    INFO = """
        0.100 alice > INFO cseq=2
        0.101 desk < INFO
        0.102 desk > 200 to INFO
        0.103 alice < 200 to INFO from desk
    """

    def of(self, alice: str = "[200]", desk: str = "[INVITE, ACK to 200, INFO]") -> Scenario:
        calls = "[{from: alice, to: bob, then: [send: INFO, send: re-INVITE]}]"
        return scenario("desk: {answer: [200]}", f"alice: {alice}\ndesk: {desk}", calls=calls)

    def verdict(self, of: Scenario, more: str) -> Verdict:
        note = Note(EPOCH, "alice", "call", "", {"call": "c", "call_id": f"{TOKEN}-1"})
        return judge(of, record(self.CALL + more, note))

    def test_a_2xx_need_not_be_named(self) -> None:
        info = self.INFO
        assert self.verdict(self.of(), info).outcome is Outcome.PASS
        assert self.verdict(self.of("[200, 200 to INFO]"), info).outcome is Outcome.PASS

    def test_a_failure_does(self) -> None:
        info = self.INFO.replace("200 to", "500 to").replace("alice < 200", "alice < 500")
        assert self.verdict(self.of(), info).outcome is Outcome.FAIL
        assert self.verdict(self.of("[200, 500 to INFO]"), info).outcome is Outcome.PASS

    def test_nor_an_answered_challenge(self) -> None:
        info = """
            0.100 alice > INFO cseq=2
            0.101 alice < 407 to INFO from system
            0.102 alice > INFO cseq=3 auth=1
            0.103 desk < INFO
            0.104 desk > 200 to INFO
            0.105 alice < 200 to INFO from desk
        """
        assert self.verdict(self.of(), info).outcome is Outcome.PASS
        assert self.verdict(self.of(), info.replace(" auth=1", "")).outcome is Outcome.FAIL

    def test_the_answer_to_a_re_invite_does(self) -> None:
        more = """
            0.100 alice > INVITE cseq=2
            0.101 desk < INVITE
            0.102 desk > 200
            0.103 alice < 200 from desk
            0.104 alice > ACK to 200
            0.105 desk < ACK to 200
        """
        desk = "[INVITE, ACK to 200, INVITE, ACK to 200]"
        assert self.verdict(self.of("[200, 200]", desk), more).outcome is Outcome.PASS
        assert self.verdict(self.of("[200]", desk), more).outcome is Outcome.FAIL
