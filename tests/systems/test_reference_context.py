"""The response context alone: whatever branches do, the rules of RFC 3261 16.7 hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from sip_harness.sip.message import Message, parse
from sip_harness.systems.reference.actions import Action, Cancel, Finish, Forward, GiveUp, Start, Target
from sip_harness.systems.reference.best import Answer, choose, other_challenges
from sip_harness.systems.reference.context import Context
from sip_harness.systems.reference.redirects import Redirection
from sip_harness.systems.reference.settings import Settings

DESK, MOBILE, TABLET, SPARE = (Target(f"sip:{name}@127.0.0.1") for name in ("desk", "mobile", "tablet", "spare"))
CODES = (100, 180, 183, 200, 302, 401, 404, 407, 408, 484, 486, 487, 500, 503, 600, 603)


def response(code: int, *headers: str, tag: str = "t") -> Message:
    lines = [f"SIP/2.0 {code} X", f"To: <sip:bob@x>;tag={tag}", "CSeq: 1 INVITE", *headers]
    return parse("\r\n".join([*lines, "", ""]).encode())


def context(*groups: tuple[Target, ...], invite: bool = True, **changes: object) -> Context:
    made = Context(groups, replace(Settings(), **changes), invite)  # type: ignore[arg-type]
    made.begin(0.0)
    return made


def kinds(actions: list[Action]) -> list[type]:
    return [type(action) for action in actions]


def finals(actions: list[Action]) -> list[int]:
    return [action.answer.code for action in actions if isinstance(action, Finish)]


def test_nobody_to_try_is_480_at_once() -> None:
    assert finals(Context((), Settings()).begin(0.0)) == [480]


def test_a_6xx_waits_for_the_others_and_opens_no_branch() -> None:
    fork = context((DESK, MOBILE), (TABLET,))
    fork.receive(1, response(180), 0.1)
    assert fork.receive(0, response(603), 0.2) == [Cancel(1, "SIP;cause=603")]
    assert finals(fork.receive(1, response(487), 0.3)) == [603]
    assert fork.over


def test_a_2xx_after_a_6xx_is_the_answer() -> None:
    fork = context((DESK, MOBILE))
    fork.receive(1, response(180), 0.1)
    fork.receive(0, response(600), 0.2)
    answer = response(200)
    assert fork.receive(1, answer, 0.3) == [Forward(1, answer)]
    assert fork.over


def test_a_branch_without_provisional_is_cancelled_when_it_sends_one() -> None:
    fork = context((DESK, MOBILE))
    assert kinds(fork.receive(0, response(200), 0.1)) == [Forward]
    assert kinds(fork.receive(1, response(180), 0.2)) == [Forward, Cancel]


def test_100_is_not_passed_on_and_does_not_restart_timer_c() -> None:
    fork = context((DESK,), ring=1.0)
    assert fork.receive(0, response(100), 0.5) == []
    assert fork.deadline == 1.0
    fork.receive(0, response(180), 0.6)
    assert fork.deadline == 1.6


def test_at_the_ring_limit_the_next_group_waits_for_the_cancelled_one() -> None:
    hunt = context((DESK,), (MOBILE,), ring=1.0, transaction=0.5)
    hunt.receive(0, response(180), 0.0)
    assert kinds(hunt.tick(1.0)) == [Cancel]
    assert hunt.receive(0, response(487), 1.1) == [Start(1, MOBILE, 60)]
    hunt.receive(1, response(180), 1.2)
    assert kinds(hunt.tick(2.2)) == [Cancel]
    assert finals(hunt.receive(1, response(487), 2.3)) == [408]


def test_a_cancelled_branch_that_never_ends_is_given_up() -> None:
    fork = context((DESK,), ring=1.0, transaction=0.5)
    fork.receive(0, response(180), 0.0)
    fork.cancel(0.2)
    assert fork.deadline == 0.7
    actions = fork.tick(0.7)
    assert actions[0] == GiveUp(0)
    assert finals(actions) == [487]


def test_after_the_callers_cancel_nobody_else_is_tried() -> None:
    hunt = context((DESK,), (MOBILE,))
    hunt.receive(0, response(180), 0.0)
    assert kinds(hunt.cancel(0.1)) == [Cancel]
    assert finals(hunt.receive(0, response(487), 0.2)) == [487]


def test_carriers_fail_over_on_some_codes_only() -> None:
    g1, g2 = replace(DESK, carrier="g1"), replace(MOBILE, carrier="g2")
    assert kinds(context((g1,), (g2,)).receive(0, response(503), 0.1)) == [Start]
    assert finals(context((g1,), (g2,)).receive(0, response(403), 0.1)) == [403]
    assert kinds(context((g1,), (g2,), failover=frozenset({403})).receive(0, response(403), 0.1)) == [Start]
    assert kinds(context((g1,), (g2,)).fail(0, 408, 0.1)) == [Start]


def test_a_redirection_is_followed_where_that_is_wanted() -> None:
    def redirects(response: Message, tried: Sequence[Target], by: str) -> Redirection:
        groups = [[TABLET], [SPARE]] if len(tried) == 2 else []
        return Redirection(groups, response.code, None)

    follows = Context([[DESK, MOBILE]], Settings(), True, redirects)
    follows.begin(0.0)
    by_desk = {"redirected_by": DESK.uri}
    assert follows.receive(0, response(302), 0.1) == [Start(2, replace(TABLET, **by_desk), 30)]
    assert follows.receive(2, response(302), 0.2) == []
    assert follows.receive(1, response(486), 0.3) == [Start(3, replace(SPARE, **by_desk), 60)]
    assert finals(follows.receive(3, response(404), 0.4)) == [302]
    stays = Context([[DESK]], Settings(), True)
    stays.begin(0.0)
    assert finals(stays.receive(0, response(302), 0.1)) == [302]


def test_another_flow_takes_the_place_of_one_that_has_failed() -> None:
    both = replace(DESK, others=(MOBILE, TABLET))
    fork = Context([[both], [SPARE]], Settings(), True)
    fork.begin(0.0)
    assert fork.receive(0, response(430), 0.1) == [Start(1, replace(MOBILE, others=(TABLET,)), 60)]
    assert fork.fail(1, 408, 0.2) == [Start(2, TABLET, 60)]
    assert fork.receive(2, response(430), 0.3) == [Start(3, SPARE, 60)]  # the next group
    assert finals(fork.receive(3, response(486), 0.4)) == [430]
    refused = Context([[both]], Settings(), True)
    refused.begin(0.0)
    assert finals(refused.receive(0, response(486), 0.1)) == [486]
    abandoned = Context([[both]], Settings(), True)
    abandoned.begin(0.0)
    abandoned.cancel(0.1)
    assert finals(abandoned.receive(0, response(430), 0.2)) == [430]


def test_a_fork_has_no_more_open_branches_than_the_request_allows() -> None:
    def begun(breadth: int, *group: Target) -> tuple[Context, list[Action]]:
        made = Context([group, [replace(DESK, uri="sip:last@x")]], Settings(), breadth=breadth)
        return made, made.begin(0.0)

    assert begun(60, DESK, MOBILE, TABLET)[1] == [Start(0, DESK, 20), Start(1, MOBILE, 20), Start(2, TABLET, 20)]
    assert begun(5, DESK, MOBILE)[1] == [Start(0, DESK, 3), Start(1, MOBILE, 2)]
    fork, actions = begun(2, DESK, MOBILE, TABLET)
    assert actions == [Start(0, DESK, 1), Start(1, MOBILE, 1)]
    assert fork.receive(0, response(486), 0.1) == []
    assert fork.receive(1, response(486), 0.2) == [Start(2, TABLET, 2)]  # and then the next group
    assert kinds(fork.receive(2, response(486), 0.3)) == [Start]
    refused, _ = begun(1, DESK, MOBILE)
    assert finals(refused.receive(0, response(603), 0.1)) == [603]


def test_a_redirection_waits_where_there_is_no_room_for_its_targets() -> None:
    def redirects(response: Message, tried: Sequence[Target], by: str) -> Redirection:
        return Redirection([[MOBILE, TABLET]] if len(tried) == 1 else [], response.code, None)

    follows = Context([[DESK]], Settings(), True, redirects, breadth=1)
    follows.begin(0.0)
    by_desk = {"redirected_by": DESK.uri}
    assert follows.receive(0, response(302), 0.1) == [Start(1, replace(MOBILE, **by_desk), 1)]
    assert follows.receive(1, response(404), 0.2) == [Start(2, replace(TABLET, **by_desk), 1)]
    assert finals(follows.receive(2, response(486), 0.3)) == [404]


def test_what_of_a_redirection_is_not_followed_stays_a_response() -> None:
    left = response(302, "Contact: <tel:+49301234>")
    fork = Context([[DESK]], Settings(), True, lambda *_: Redirection([[TABLET]], 302, left))
    fork.begin(0.0)
    fork.receive(0, response(302, "Contact: <sip:tablet@x>, <tel:+49301234>"), 0.1)
    [finish] = fork.receive(1, response(486), 0.2)
    assert isinstance(finish, Finish)
    assert finish.answer.message == left


def test_nobody_is_redirected_to_once_a_6xx_has_come() -> None:
    fork = Context([[DESK, MOBILE]], Settings(), True, lambda *_: Redirection([[TABLET]], 302, None))
    fork.begin(0.0)
    fork.receive(0, response(603), 0.1)
    assert finals(fork.receive(1, response(302), 0.2)) == [603]


def test_a_carriers_redirection_fails_over_as_the_carrier_does() -> None:
    g1, g2 = replace(DESK, carrier="g1"), replace(MOBILE, carrier="g2")
    hunt = Context([[g1], [g2]], Settings(), True, lambda *_: Redirection([[TABLET]], 302, None))
    hunt.begin(0.0)
    hunt.receive(0, response(302), 0.1)
    assert finals(hunt.receive(1, response(403), 0.2)) == [403]


def test_no_408_for_anything_but_invite_where_somebody_has_answered() -> None:
    fork = context((DESK, MOBILE), invite=False)
    fork.fail(0, 408, 0.5)
    assert finals(fork.receive(1, response(500), 0.6)) == [500]


def test_a_request_other_than_invite_gets_one_answer_and_no_cancel() -> None:
    fork = context((DESK, MOBILE), invite=False)
    fork.receive(1, response(180), 0.0)
    assert kinds(fork.receive(0, response(200), 0.1)) == [Forward]
    assert fork.receive(1, response(200), 0.2) == []


def test_all_challenges_go_with_the_chosen_one() -> None:
    first = Answer(407, response(407, "Proxy-Authenticate: a"))
    others = [Answer(401, response(401, "WWW-Authenticate: b", "WWW-Authenticate: c")), Answer(486, response(486))]
    added = other_challenges(first, [first, *others], frozenset())
    assert added == [("WWW-Authenticate", "b"), ("WWW-Authenticate", "c")]
    assert other_challenges(others[1], [first, *others], frozenset()) == []


def test_the_order_of_preference() -> None:
    best_first = [600, 302, 420, 487, 486, 500]
    for position, code in enumerate(best_first):
        rest = [Answer(c, response(c)) for c in reversed(best_first[position:])]
        assert choose(rest, frozenset(), cancelled=True).code == code
    assert choose([Answer(408), Answer(486, response(486))], frozenset()).code == 486
    assert choose([Answer(408), Answer(500, response(500))], frozenset()).code == 408


events = st.lists(
    st.one_of(
        st.tuples(st.just("response"), st.integers(0, 3), st.sampled_from(CODES)),
        st.tuples(st.sampled_from(["fail", "cancel", "tick"]), st.integers(0, 3), st.just(408)),
    ),
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(events)
def test_whatever_comes_the_rules_hold(some: list[tuple[str, int, int]]) -> None:
    fork = Context([[DESK, MOBILE], [TABLET, replace(TABLET, uri="sip:x@127.0.0.1")]], Settings())
    seen = fork.begin(0.0)
    now, ended = 0.0, False
    for what, number, code in some:
        now += 0.2
        if number >= len(fork.branches):
            continue
        if what == "response":
            new = fork.receive(number, response(code), now)
        elif what == "cancel":
            new = fork.cancel(now)
        else:
            new = fork.fail(number, code, now) if what == "fail" else fork.tick(now)
        assert not (ended and any(isinstance(a, Start) for a in new))
        assert all(fork.branches[a.branch].provisional for a in new if isinstance(a, Cancel))
        seen += new
        ended = ended or fork.abandoned or any(b.final >= 600 or 200 <= b.final < 300 for b in fork.branches)
    while fork.deadline is not None:
        for number, branch in enumerate(tuple(fork.branches)):
            if not branch.final and not branch.provisional:
                seen += fork.fail(number, 408, now)
        if fork.deadline is not None:
            now = fork.deadline
            seen += fork.tick(now)
    forwarded = [a.message.code for a in seen if isinstance(a, Forward)]
    answered = any(code >= 200 for code in forwarded)
    assert fork.over
    assert len(finals(seen)) == (0 if answered else 1)
    assert 100 not in forwarded
    assert len({a.branch for a in seen if isinstance(a, Cancel)}) == sum(isinstance(a, Cancel) for a in seen)
    if not answered and any(a.code >= 600 for a in fork.answers):
        assert finals(seen)[0] >= 600
