"""What can be expected besides a plain sequence: content, counts, times, kinds, severity, single calls, media."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ladders import EPOCH, POLICY, TOKEN, at, record, scenario

from sip_harness.model.entry import Entry, Lag, Media, Note
from sip_harness.model.policy import Deviation, Kind
from sip_harness.model.verdict import Outcome, Verdict
from sip_harness.verdict import judge
from sip_harness.verdict.choose import CannotChoose, Says, resolved

DEVICES = "desk: {answer: [ringing, 503]}\nmobile: {answer: [ringing]}"
BUSY = """
    0.000 alice > INVITE
    0.001 desk < INVITE
    0.002 mobile < INVITE
    0.050 desk > 180
    0.051 alice < 180 from desk
    0.100 desk > 503
    0.101 desk < ACK to 503
    0.200 mobile > 486
    0.201 mobile < ACK to 486
    0.210 alice < 486 from mobile
    0.211 alice > ACK to 486
"""
REST = "desk: reached\nmobile: reached\n"


def judged(expect: str, *extra: Entry, ladder: str = BUSY, kind: Kind = "proxy", calls: str = "") -> Verdict:
    wanted = scenario(DEVICES, expect, calls=calls or "[{from: alice, to: bob}]")
    return judge(wanted, record(ladder, *extra, kind=kind))


def seen(result: Verdict) -> list[tuple[str, str]]:
    return [(finding.expected, finding.observed) for finding in result.findings]


class TestContent:
    @pytest.mark.parametrize(
        "content",
        [
            "headers: {Call-ID: same as mobile, CSeq: /^1 INV/, Via: present, Server: absent}",
            "headers: {cseq: 1    INVITE}",
            "headers: {CSeq: {is: 1 INVITE}, i: {same as: alice}, To: {matches: 'tag=mobile'}}",
            "reason: Phrase, body: absent, headers: {From: /alice/}",
            "reason: /^Phr/, from: mobile",
            "headers: {Call-ID: same as earlier 180, From: {same as: earlier ringing}}",
        ],
    )
    def test_what_is_there_passes(self, content: str) -> None:
        assert judged(f"{REST}alice: [486: {{{content}}}]").outcome is Outcome.PASS

    @pytest.mark.parametrize(
        ("content", "expected", "observed"),
        [
            ("headers: {Retry-After: 30}", "Retry-After: 30", "no Retry-After"),
            ("headers: {CSeq: 2 INVITE}", "CSeq: 2 INVITE", "CSeq: 1 INVITE"),
            ("headers: {CSeq: /BYE/}", "CSeq: /BYE/", "CSeq: 1 INVITE"),
            ("headers: {CSeq: absent}", "CSeq absent", "CSeq: 1 INVITE"),
            ("headers: {Warning: present}", "Warning present", "no Warning"),
            ("headers: {Via: [a, b]}", "Via: a, b", "Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK0"),
            (
                "headers: {To: same as desk}",
                "To: same as desk",
                f"To: <sip:bob-{TOKEN}@h>;tag=mobile-1, where desk had To: <sip:bob-{TOKEN}@h>",
            ),
            (
                "headers: {To: same as earlier 180}",
                "To: same as earlier 180",
                f"To: <sip:bob-{TOKEN}@h>;tag=mobile-1, where earlier 180 had To: <sip:bob-{TOKEN}@h>;tag=desk-1",
            ),
            ("headers: {To: same as earlier 183}", "To: same as earlier 183", "no earlier 183 to compare it with"),
            ("reason: Busy Here", "reason: Busy Here", "reason: Phrase"),
            ("body: present", "body present", "no body"),
        ],
    )
    def test_what_is_not_fails_in_words(self, content: str, expected: str, observed: str) -> None:
        result = judged(f"{REST}alice: [486: {{{content}}}]")
        assert result.outcome is Outcome.FAIL
        assert seen(result) == [(f"alice: 486 with {expected}", observed)]
        [finding] = result.findings
        assert finding.seen.startswith("486 Phrase from mobile reached alice with ")
        assert finding.message is not None
        assert finding.place.column > 1

    def test_what_should_be_there_is_a_warning(self) -> None:
        result = judged(f"{REST}alice: [486: {{reason: Phrase, should: {{headers: {{Retry-After: present}}}}}}]")
        assert (result.outcome, seen(result)) == (
            Outcome.WARN, [("alice: 486 with Retry-After present", "no Retry-After")],
        )  # fmt: skip

    def test_the_request_uri(self) -> None:
        assert judged("desk: [INVITE: {uri: /^sip:/}, ACK to 503]\nmobile: reached").outcome is Outcome.PASS
        wrong = judged("desk: [INVITE: {uri: /elsewhere/}, ACK to 503]\nmobile: reached")
        [(expected, observed)] = seen(wrong)
        assert expected == "desk: INVITE with uri: /elsewhere/"
        assert observed.startswith("uri: sip:")


class TestCounts:
    @pytest.mark.parametrize("count", ["once", "1 time", "at most 2 times", "1 to 3 times", "at least 1 time"])
    def test_as_often_as_it_may(self, count: str) -> None:
        assert judged(f"{REST}alice: [180 {count}, 486]").outcome is Outcome.PASS

    @pytest.mark.parametrize("count", ["2 times", "at least 2 times", "2 to 3 times"])
    def test_too_seldom_is_one_finding(self, count: str) -> None:
        result = judged(f"{REST}alice: [180 {count}, 486]")
        assert seen(result) == [(f"alice: 180 {count}", "180 1 time")]

    def test_provisionals_that_are_counted_can_be_too_many(self) -> None:
        ladder = BUSY.replace(
            "0.200 mobile > 486", "0.060 mobile > 180\n0.061 alice < 180 from mobile\n0.200 mobile > 486"
        )
        assert judged(f"{REST}alice: [486]", ladder=ladder).outcome is Outcome.PASS
        result = judged(f"{REST}alice: [180 once, 486]", ladder=ladder)
        assert seen(result) == [("alice: 180 1 time", "180 2 times")]

    def test_how_often_an_agent_is_called(self) -> None:
        assert judged("alice: [486]\ndesk: reached once\nmobile: reached at most 2 times").outcome is Outcome.PASS
        result = judged("alice: [486]\ndesk: reached 2 times\nmobile: reached")
        assert seen(result) == [("desk: reached 2 times", "1 time")]


class TestTimes:
    @pytest.mark.parametrize(
        "when",
        [
            "within 50ms of mobile sends 486",
            "within policy.prompt of mobile sends 486",
            "no later than 300ms",
            "after 100ms",
            "after desk sends 503",
            "at 100ms after desk sends 503",
            "100ms to 200ms after desk sends 503",
            "no later than policy.ring after desk sends 180",
        ],
    )
    def test_in_time(self, when: str) -> None:
        assert judged(f"{REST}alice: [486 {when}]").outcome is Outcome.PASS

    @pytest.mark.parametrize(
        ("when", "observed"),
        [
            ("within 5ms of mobile sends 486", "late 486 Phrase"),
            ("no earlier than 300ms", "early 486 Phrase"),
            ("after 300ms of desk sends 180", "early 486 Phrase"),
            ("at policy.ring after desk sends 180", "early 486 Phrase"),
            ("200ms to 300ms after desk sends 503", "early 486 Phrase"),
            ("within 1s of mobile sends 180", "no event 486 Phrase"),
        ],
    )
    def test_not_in_time(self, when: str, observed: str) -> None:
        result = judged(f"{REST}alice: [486 {when}]")
        assert (result.outcome, seen(result)) == (Outcome.FAIL, [(f"alice: 486 {when}", observed)])

    @pytest.mark.parametrize(("bound", "good"), [("219ms", True), ("221ms", False)])
    def test_a_lower_bound_is_as_precise_as_a_script(self, bound: str, good: bool) -> None:
        """98 ms after a 180 that left 2 ms late is what `wait 100ms` looks like on the wire."""
        found = seen(judged(f"{REST}alice: [486 {bound} to 1s]"))
        assert (found == []) == good, found

    def test_a_timer_of_the_policy_has_its_own_tolerance(self) -> None:
        early, late = POLICY.timers["ring"].early, POLICY.timers["ring"].late
        wanted = f"{REST}alice: [408 at policy.ring after desk sends 180]"
        for moment, good in ((-early - 0.01, False), (-early + 0.01, True), (late - 0.01, True), (late + 0.02, False)):
            came = f"{0.050 + 3.0 + moment:.3f}"
            ladder = BUSY[: BUSY.index("0.100")] + f"{came} alice < 408 from system"
            assert (judged(wanted, ladder=ladder).outcome is Outcome.PASS) == good, moment

    def test_lateness_of_a_machine_that_stood_still_decides_nothing(self) -> None:
        lag = Lag(at(0.209), "alice", 500_000_000)
        result = judged(f"{REST}alice: [486 within 5ms of mobile sends 486]", lag)
        assert result.outcome is Outcome.INCONCLUSIVE

    @pytest.mark.parametrize(
        ("until", "outcome"),
        [
            (0.060, Outcome.INCONCLUSIVE),
            (-0.015, Outcome.INCONCLUSIVE),
            (-3.0, Outcome.INCONCLUSIVE),
            (-5.1, Outcome.FAIL),
            (0.030, Outcome.FAIL),
            (0.049, Outcome.FAIL),
            (2.9, Outcome.FAIL),
        ],
    )
    def test_a_timer_that_was_set_while_the_machine_stood_still_may_fire_early(
        self, until: float, outcome: Outcome
    ) -> None:
        """A system that has to wait for a processor sets it by a clock that is behind. 60 ms too early is what a stall
        of 30 ms and more excuses, as long as the clock may be behind by it. One that was over long before, or a shorter
        one, explains nothing."""
        early = POLICY.timers["ring"].early + 0.060
        length = {0.060: 60_000_000, -0.015: 40_000_000, -3.0: 40_000_000, -5.1: 40_000_000, 0.030: 10_000_000}.get(
            until, 20_000_000
        )
        ladder = BUSY[: BUSY.index("0.100")] + f"{0.050 + 3.0 - early:.3f} alice < 408 from system"
        wanted = f"{REST}alice: [408 at policy.ring after desk sends 180]"
        assert judged(wanted, Lag(at(until), "", length), ladder=ladder).outcome is outcome


class TestKindsAndPolicy:
    def test_each_kind_has_its_own(self) -> None:
        wanted = f"{REST}alice: {{proxy: [486], b2bua: [480]}}"
        assert judged(wanted).outcome is Outcome.PASS
        assert seen(judged(wanted, kind="b2bua"))[0] == ("alice: 480", "486 Phrase from mobile")

    def test_also_within_a_sequence_where_a_kind_may_owe_nothing(self) -> None:
        assert judged(f"{REST}alice: [180, {{b2bua: [480]}}, {{proxy: [486]}}]").outcome is Outcome.PASS

    def test_a_kind_that_nobody_thought_of_is_an_error(self) -> None:
        result = judged(f"{REST}alice: {{b2bua: [480]}}")
        assert result.outcome is Outcome.ERROR
        assert result.reason == (
            "t.sip.yaml:13:3: the scenario says what alice gets from a b2bua, and test is a proxy: add 'proxy: [...]'"
        )

    @pytest.mark.parametrize(("failover", "gets"), [((503,), "486"), ((), "500"), ((404, 486), "500")])
    def test_what_depends_on_the_failover_of_the_policy(self, failover: tuple[int, ...], gets: str) -> None:
        wanted = scenario(DEVICES, f"{REST}alice: {{if: policy.failover has 503, then: [486], else: [500]}}")
        made = record(BUSY)
        header = replace(made.header, policy=replace(POLICY, failover=failover))
        outcome = judge(wanted, replace(made, header=header)).outcome
        assert outcome is (Outcome.PASS if gets == "486" else Outcome.FAIL)

    def test_a_policy_that_says_nothing_of_failover_is_asked_in_vain(self) -> None:
        wanted = scenario(DEVICES, f"{REST}alice: {{if: policy.failover has 503, then: [486], else: [500]}}")
        with pytest.raises(CannotChoose, match=r"add 'failover: \[503, ...\]' to the policy in its profile"):
            resolved(wanted, Says("pbx", "proxy", replace(POLICY, failover=None)))

    def test_codes_of_the_policy(self) -> None:
        wanted = scenario(DEVICES, f"{REST}alice: [policy.all-busy or 600]")
        made = record(BUSY)
        missing = judge(wanted, made)
        assert missing.outcome is Outcome.ERROR
        assert "the policy of test has no code for 'all-busy'" in missing.reason
        for code, outcome in ((486, Outcome.PASS), (480, Outcome.FAIL)):
            header = replace(made.header, policy=replace(POLICY, codes={"all-busy": code}))
            result = judge(wanted, replace(made, header=header))
            assert result.outcome is outcome
            assert [f.expected for f in result.findings] in ([], ["alice: policy.all-busy or 600"])

    @pytest.mark.parametrize(
        ("codes", "got", "kind", "outcome"),
        [
            ({"486": 480}, "480", "b2bua", Outcome.PASS),
            ({"4xx": 480}, "480", "b2bua", Outcome.PASS),
            ({"4xx": 500, "486": 480}, "480", "b2bua", Outcome.PASS),
            ({"4xx": 500}, "486", "b2bua", Outcome.PASS),
            ({"5xx": 500}, "480", "b2bua", Outcome.FAIL),
            ({}, "480", "b2bua", Outcome.FAIL),
            ({"486": 480}, "480", "proxy", Outcome.FAIL),
        ],
    )
    def test_a_b2bua_has_codes_of_its_own_for_those_of_phones(
        self, codes: dict[str, int], got: str, kind: Kind, outcome: Outcome
    ) -> None:
        wanted = scenario("desk: {answer: [486]}", "alice: [486 from desk]\ndesk: [INVITE, ACK to 486]")
        ladder = (
            "0.0 alice > INVITE\n0.01 desk < INVITE callid=b2b-1\n0.1 desk > 486 callid=b2b-1\n"
            f"0.101 desk < ACK to 486 callid=b2b-1\n0.102 alice < {got} from system\n"
        )
        made = record(ladder, kind=kind)
        header = replace(made.header, policy=replace(POLICY, codes=codes))
        result = judge(wanted, replace(made, header=header))
        assert result.outcome is outcome, result.findings
        if "486" in codes and kind == "b2bua":
            heard = resolved(wanted, Says("pbx", kind, header.policy)).expectations[0]
            assert "486, told as 480" in repr(heard)

    def test_the_map_of_codes_leaves_the_systems_own_answers_alone(self) -> None:
        policy = replace(POLICY, codes={"4xx": 500})
        for item in ("487", "481 to CANCEL", "408 from system", "policy.404"):
            wanted = scenario(DEVICES, f"{REST}alice: [{item}]")
            kept = resolved(wanted, Says("pbx", "b2bua", policy)).expectations
            assert "told as" not in repr(kept)

    def test_a_code_that_becomes_another_by_its_class(self) -> None:
        assert [replace(POLICY, codes={"4xx": 500, "404": 404}).told(c) for c in (404, 410, 503)] == [404, 500, 503]

    def test_a_timer_that_the_policy_lacks_is_an_error(self) -> None:
        result = judged(f"{REST}alice: [486 within policy.failover of desk sends 503]")
        assert result.outcome is Outcome.ERROR
        assert "has no timer 'failover' (it has: transaction, ring)" in result.reason


class TestShould:
    @pytest.mark.parametrize(
        "expect",
        [
            "alice: [should 183, 486]",
            "alice: [{should: [183, 199]}, 486]",
            "alice: [{should: [any order: [183, 199]]}, 486]",
            "alice: {should: [600]}",
            "alice: {gets: [486], should: [183, 486]}",
        ],
    )
    def test_only_a_warning(self, expect: str) -> None:
        assert judged(REST + expect).outcome is Outcome.WARN

    def test_of_fate_and_order(self) -> None:
        order = "order: [{should: [alice gets 486, desk sends 503]}]"
        wanted = scenario(DEVICES, "alice: [486]\ndesk: {should: never}\nmobile: reached", order)
        result = judge(wanted, record(BUSY))
        assert result.outcome is Outcome.WARN
        assert {f.expected for f in result.findings} == {"desk: never", "order: alice gets 486, desk sends 503"}

    def test_a_broken_must_beside_it_fails(self) -> None:
        assert judged(f"{REST}alice: [should 183, 600]").outcome is Outcome.FAIL

    def test_it_can_be_a_known_deviation(self) -> None:
        known = Deviation("T-1", "alice: should 183", "nothing", "it never says 183")
        made = record(BUSY)
        made = replace(made, header=replace(made.header, policy=replace(POLICY, deviations=(known,))))
        assert judge(scenario(DEVICES, f"{REST}alice: [should 183, 486]"), made).outcome is Outcome.DEVIATION


AGAIN = """
    0.000 alice > INVITE
    0.001 desk < INVITE {first}
    0.050 desk > 486
    0.051 desk < ACK to 486
    0.052 alice < 486 from desk
    0.053 alice > ACK to 486
    1.000 alice > INVITE cseq=2 call=2
    1.001 desk < INVITE {second}
    1.002 mobile < INVITE {second}
    1.050 desk > 600
    1.051 desk < ACK to 600
    1.052 mobile > 486
    1.053 mobile < ACK to 486
    1.060 alice < 600 from desk
"""


class TestOneOfSeveralCalls:
    @staticmethod
    def again(expect: str, kind: Kind = "proxy") -> Verdict:
        named = {"first": "", "second": ""} if kind == "proxy" else {"first": "callid=leg-1", "second": "callid=leg-2"}
        ladder = AGAIN.format(**named)
        if kind == "b2bua":
            lines = ladder.strip().splitlines()
            leg = ""
            for n, line in enumerate(lines):
                leg = "leg-2" if float(line.split()[0]) >= 1 else "leg-1"
                if "alice" not in line and "callid" not in line:
                    lines[n] = f"{line} callid={leg}"
            ladder = "\n".join(lines)
        notes = [
            Note(EPOCH + (n - 1) * 1_000_000_000, "alice", "call", "", {"call": name, "call_id": f"{TOKEN}-{n}"})
            for n, name in ((1, "first"), (2, "second"))
        ]
        calls = f"[{{from: alice, to: bob, name: first}}, {{from: alice, to: bob, name: second, expect: {expect}}}]"
        wanted = scenario(DEVICES, "desk: reached 2 times", calls=calls)
        return judge(wanted, record(ladder, *notes, kind=kind))

    @pytest.mark.parametrize("kind", ["proxy", "b2bua"])
    def test_what_one_call_owes(self, kind: Kind) -> None:
        second = "{alice: [600], desk: [INVITE, ACK to 600], mobile: [INVITE, ACK to 486]}"
        assert self.again(second, kind).outcome is Outcome.PASS

    @pytest.mark.parametrize("kind", ["proxy", "b2bua"])
    def test_what_another_call_had_does_not_count(self, kind: Kind) -> None:
        result = self.again("{alice: [486], desk: [INVITE, ACK to 486], mobile: never}", kind)
        assert {f.expected for f in result.findings} == {
            "alice in second: 486", "desk in second: ACK to 486", "mobile in second: never",
        }  # fmt: skip


def stream(agent: str, level: str, first: float, *, sent: bool = False, ssrc: int = 7, port: int = 4000) -> Media:
    return Media(
        at(first + 0.1), agent, "sent" if sent else "received", ("127.0.0.1", port if sent else 4002),
        ("127.0.0.1", 4002 if sent else port), f"{TOKEN}-1", "", "", ssrc, (0,), 5, 0, at(first), at(first + 0.1),
        level, True,  # type: ignore[arg-type]
    )  # fmt: skip


class TestMedia:
    HEARD = (stream("desk", "tone", 0.06, sent=True), stream("alice", "tone", 0.061))

    @pytest.mark.parametrize(
        "hears",
        [
            "tone from desk",
            "tone",
            "tone at least 5 packets",
            "tone within 50ms of desk sends 180",
            "nothing from mobile",
        ],
    )
    def test_heard(self, hears: str) -> None:
        result = judged(f"{REST}alice: {{gets: [486], hears: {hears}}}", *self.HEARD)
        assert result.outcome is Outcome.PASS

    @pytest.mark.parametrize(
        ("hears", "observed"),
        [
            ("nothing", "tone"),
            ("silence", "tone from desk"),
            ("tone from mobile", "tone from desk"),
            ("tone at least 20 packets", "5 packets"),
            ("tone within 5ms of desk sends 180", "late tone"),
        ],
    )
    def test_not_heard(self, hears: str, observed: str) -> None:
        result = judged(f"{REST}alice: {{gets: [486], hears: {hears}}}", *self.HEARD)
        assert (result.outcome, seen(result)) == (Outcome.FAIL, [(f"alice: hears {hears}", observed)])

    def test_silence_of_a_line_without_media(self) -> None:
        assert judged(f"{REST}alice: {{gets: [486], hears: nothing}}").outcome is Outcome.PASS
        result = judged(f"{REST}alice: {{gets: [486], hears: silence}}")
        assert seen(result) == [("alice: hears silence", "nothing")]
