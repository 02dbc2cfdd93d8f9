"""The transaction state machines, driven with passed-in time: schedules, timeouts, Accepted states, ACKs."""

from __future__ import annotations

import pytest

from sip_harness.sip.message import Message, parse
from sip_harness.sip.transaction import (
    Action,
    ClientTransaction,
    Deliver,
    Failed,
    ServerTransaction,
    Terminated,
    Transmit,
    ack_for_failure,
    cancel_for,
    response_class,
)
from sip_harness.sip.transaction_tables import (
    CLIENT,
    INVITE_CLIENT,
    INVITE_SERVER,
    SERVER,
    State,
    Table,
    Timers,
)

T = Timers()
A_SCHEDULE = [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
E_SCHEDULE = [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]


def request(method: str = "INVITE", branch: str = "z9hG4bKone") -> Message:
    return parse(
        f"{method} sip:bob@b.test SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5070;branch={branch}\r\n"
        "Route: <sip:p1.test;lr>\r\nRoute: <sip:p2.test;lr>\r\nMax-Forwards: 70\r\nFrom: <sip:a@a.test>;tag=a\r\n"
        f"To: <sip:bob@b.test>\r\nCall-ID: c1\r\nCSeq: 7 {method}\r\n\r\n".encode()
    )


def response(code: int, to: Message | None = None, tag: str = "b") -> Message:
    asked = to or request()
    return parse(
        f"SIP/2.0 {code} Word\r\nVia: {asked.get('via')}\r\nFrom: {asked.get('from')}\r\n"
        f"To: {asked.get('to')};tag={tag}\r\nCall-ID: c1\r\nCSeq: {asked.get('cseq')}\r\n\r\n".encode()
    )


def client(method: str = "INVITE", *, timers: Timers = T, reliable: bool = False) -> ClientTransaction:
    transaction = ClientTransaction(request(method), timers, reliable=reliable)
    assert transaction.start(0.0) == [Transmit(transaction.request.data, "first")]
    return transaction


def server(method: str = "INVITE", *, timers: Timers = T, reliable: bool = False) -> ServerTransaction:
    return ServerTransaction(request(method), timers, reliable=reliable)


def run_out(transaction: ClientTransaction | ServerTransaction, until: float = 1000.0) -> list[tuple[float, Action]]:
    """Tick exactly at every deadline; what came of it, with its time."""
    seen: list[tuple[float, Action]] = []
    while (due := transaction.deadline) is not None and due <= until:
        seen += [(due, action) for action in transaction.tick(due)]
    return seen


def resent(seen: list[tuple[float, Action]]) -> list[float]:
    return [when for when, action in seen if isinstance(action, Transmit)]


class TestInviteClient:
    def test_timer_a_doubles_and_timer_b_ends_it(self) -> None:
        transaction = client()
        seen = run_out(transaction)
        assert resent(seen) == A_SCHEDULE
        assert seen[-2:] == [(32.0, Failed("timeout")), (32.0, Terminated())]
        assert transaction.terminated
        assert transaction.deadline is None

    def test_retransmissions_are_the_identical_bytes(self) -> None:
        transaction = client()
        sent = [a for _, a in run_out(transaction) if isinstance(a, Transmit)]
        assert {a.data for a in sent} == {transaction.request.data}
        assert {a.kind for a in sent} == {"again"}

    def test_nothing_is_due_before_its_time(self) -> None:
        transaction = client()
        assert transaction.tick(0.499) == []
        assert len(transaction.tick(0.5)) == 1
        assert transaction.tick(1.499) == []

    def test_a_provisional_stops_both_timers_for_good(self) -> None:
        transaction = client()
        ringing = response(180)
        assert transaction.receive(ringing, 0.2) == [Deliver(ringing)]
        assert transaction.state is State.PROCEEDING
        assert transaction.deadline is None
        assert transaction.receive(ringing, 100.0) == [Deliver(ringing)]

    @pytest.mark.parametrize("code", [300, 302, 401, 404, 407, 486, 487, 500, 503, 600, 699])
    @pytest.mark.parametrize("rings", [False, True])
    def test_a_failure_is_acknowledged_then_delivered(self, code: int, rings: bool) -> None:
        transaction = client()
        if rings:
            transaction.receive(response(180), 0.1)
        failure = response(code)
        ack = ack_for_failure(transaction.request, failure)
        assert transaction.receive(failure, 0.2) == [Transmit(ack, "ack"), Deliver(failure)]
        assert transaction.state is State.COMPLETED

    def test_a_failure_that_comes_again_gets_the_same_ack_and_is_not_delivered(self) -> None:
        transaction = client()
        first = transaction.receive(response(486), 0.2)[0]
        for when in (0.7, 1.7, 3.7, 31.0):
            assert transaction.receive(response(486), when) == [first]

    def test_timer_d_runs_from_the_first_failure(self) -> None:
        transaction = client()
        transaction.receive(response(486), 1.0)
        transaction.receive(response(486), 20.0)
        assert run_out(transaction) == [(33.0, Terminated())]

    def test_no_ack_after_the_end(self) -> None:
        transaction = client()
        transaction.receive(response(486), 0.0)
        run_out(transaction)
        assert transaction.receive(response(486), 40.0) == []

    def test_accepted_delivers_every_2xx_and_acknowledges_none(self) -> None:
        transaction = client()
        first, other = response(200, tag="one"), response(200, tag="two")
        assert transaction.receive(first, 1.0) == [Deliver(first)]
        assert transaction.state is State.ACCEPTED
        assert transaction.receive(other, 1.1) == [Deliver(other)]
        assert transaction.receive(first, 1.5) == [Deliver(first)]
        assert run_out(transaction) == [(33.0, Terminated())]

    def test_late_provisionals_are_absorbed(self) -> None:
        for final in (200, 486):
            transaction = client()
            transaction.receive(response(final), 0.1)
            assert transaction.receive(response(183), 0.2) == []

    def test_a_2xx_after_a_failure_is_delivered(self) -> None:
        transaction = client()
        transaction.receive(response(600), 0.1)
        late = response(200, tag="late")
        assert transaction.receive(late, 0.2) == [Deliver(late)]
        assert transaction.state is State.COMPLETED

    def test_a_failure_after_a_2xx_is_acknowledged_and_not_delivered(self) -> None:
        transaction = client()
        transaction.receive(response(200), 0.1)
        late = response(486, tag="late")
        assert transaction.receive(late, 0.2) == [Transmit(ack_for_failure(transaction.request, late), "ack")]
        assert transaction.state is State.ACCEPTED

    def test_transport_error(self) -> None:
        transaction = client()
        assert transaction.transport_failed(0.0) == [Failed("transport"), Terminated()]

    def test_reliable_transport_resends_nothing_and_does_not_linger(self) -> None:
        transaction = client(reliable=True)
        assert transaction.deadline == 32.0
        transaction.receive(response(486), 1.0)
        assert run_out(transaction) == [(1.0, Terminated())]

    def test_reliable_transport_still_waits_for_further_2xx(self) -> None:
        transaction = client(reliable=True)
        transaction.receive(response(200), 1.0)
        assert transaction.deadline == 33.0

    @pytest.mark.parametrize("code", [0, 42, 99])
    def test_a_code_below_100_is_no_response(self, code: int) -> None:
        transaction = client()
        assert transaction.receive(parse(f"SIP/2.0 {code:03} No\r\nCSeq: 7 INVITE\r\n\r\n".encode()), 0.1) == []
        assert transaction.state is State.CALLING


class TestNonInviteClient:
    def test_timer_e_doubles_up_to_t2_and_timer_f_ends_it(self) -> None:
        seen = run_out(client("OPTIONS"))
        assert resent(seen) == E_SCHEDULE
        assert seen[-2:] == [(32.0, Failed("timeout")), (32.0, Terminated())]

    def test_after_a_provisional_it_resends_every_t2_and_still_times_out(self) -> None:
        transaction = client("REGISTER")
        transaction.tick(0.5)
        trying = response(100, transaction.request)
        assert transaction.receive(trying, 0.6) == [Deliver(trying)]
        seen = run_out(transaction)
        assert resent(seen) == [1.5, 5.5, 9.5, 13.5, 17.5, 21.5, 25.5, 29.5]
        assert seen[-2:] == [(32.0, Failed("timeout")), (32.0, Terminated())]

    @pytest.mark.parametrize("code", [200, 202, 301, 404, 481, 503, 603])
    def test_a_final_is_delivered_once_and_absorbed_for_t4(self, code: int) -> None:
        transaction = client("BYE")
        final = response(code, transaction.request)
        assert transaction.receive(final, 1.0) == [Deliver(final)]
        assert transaction.receive(final, 2.0) == []
        assert run_out(transaction) == [(6.0, Terminated())]

    def test_transport_error(self) -> None:
        assert client("BYE").transport_failed(0.0) == [Failed("transport"), Terminated()]

    def test_reliable(self) -> None:
        transaction = client("BYE", reliable=True)
        assert run_out(transaction, 31.9) == []
        transaction.receive(response(200, transaction.request), 31.9)
        assert run_out(transaction) == [(31.9, Terminated())]


class TestInviteServer:
    def test_a_silent_server_stays_silent(self) -> None:
        transaction = server()
        assert transaction.receive(transaction.request, 0.5) == []
        assert transaction.deadline is None

    def test_the_last_provisional_answers_the_invite_that_comes_again(self) -> None:
        transaction = server()
        transaction.respond(100, b"trying", 0.0)
        assert transaction.respond(180, b"ringing", 0.1) == [Transmit(b"ringing", "first")]
        assert transaction.receive(transaction.request, 0.5) == [Transmit(b"ringing", "again")]

    def test_timer_g_resends_the_failure_until_timer_h(self) -> None:
        transaction = server()
        assert transaction.respond(486, b"busy", 0.0) == [Transmit(b"busy", "first")]
        seen = run_out(transaction)
        assert resent(seen) == E_SCHEDULE
        assert {a.data for _, a in seen if isinstance(a, Transmit)} == {b"busy"}
        assert seen[-2:] == [(32.0, Failed("timeout")), (32.0, Terminated())]

    def test_ack_stops_timer_g_and_further_acks_are_absorbed(self) -> None:
        transaction = server()
        transaction.respond(486, b"busy", 0.0)
        transaction.tick(0.5)
        assert transaction.receive(request("ACK"), 0.6) == []
        assert transaction.state is State.CONFIRMED
        assert transaction.receive(request("ACK"), 0.7) == []
        assert transaction.receive(transaction.request, 0.8) == []
        assert run_out(transaction) == [(5.6, Terminated())]

    def test_the_invite_that_comes_again_gets_the_failure_again(self) -> None:
        transaction = server()
        transaction.respond(600, b"no", 0.0)
        assert transaction.receive(transaction.request, 0.2) == [Transmit(b"no", "again")]

    def test_accepted_absorbs_the_invite_and_lets_2xx_through(self) -> None:
        transaction = server()
        assert transaction.respond(200, b"ok", 0.0) == [Transmit(b"ok", "first")]
        assert transaction.state is State.ACCEPTED
        assert transaction.receive(transaction.request, 0.5) == []
        assert transaction.respond(200, b"ok", 0.5) == [Transmit(b"ok", "first")]
        ack = request("ACK")
        assert transaction.receive(ack, 0.6) == [Deliver(ack)]
        assert run_out(transaction) == [(32.0, Terminated())]

    @pytest.mark.parametrize(("first", "later"), [(486, 180), (486, 200), (486, 600), (200, 180), (200, 486)])
    def test_what_a_final_rules_out_is_refused(self, first: int, later: int) -> None:
        transaction = server()
        transaction.respond(first, b"first", 0.0)
        state = transaction.state
        assert transaction.respond(later, b"later", 0.1) == []
        assert transaction.state is state

    def test_transport_error_ends_it_unless_accepted(self) -> None:
        transaction = server()
        transaction.respond(180, b"ringing", 0.0)
        assert transaction.transport_failed(0.0) == [Failed("transport"), Terminated()]
        transaction = server()
        transaction.respond(200, b"ok", 0.0)
        assert transaction.transport_failed(0.0) == [Failed("transport")]
        assert not transaction.terminated

    def test_reliable_waits_for_ack_without_resending(self) -> None:
        transaction = server(reliable=True)
        transaction.respond(486, b"busy", 0.0)
        assert run_out(transaction) == [(32.0, Failed("timeout")), (32.0, Terminated())]
        transaction = server(reliable=True)
        transaction.respond(486, b"busy", 0.0)
        transaction.receive(request("ACK"), 1.0)
        assert run_out(transaction) == [(1.0, Terminated())]


class TestNonInviteServer:
    def test_before_a_response_the_request_is_absorbed(self) -> None:
        transaction = server("OPTIONS")
        assert transaction.receive(transaction.request, 0.5) == []

    def test_final_again_for_every_retransmission_until_timer_j(self) -> None:
        transaction = server("OPTIONS")
        transaction.respond(200, b"ok", 1.0)
        assert transaction.receive(transaction.request, 1.5) == [Transmit(b"ok", "again")]
        assert transaction.respond(500, b"no", 1.6) == []
        assert run_out(transaction) == [(33.0, Terminated())]

    def test_provisional_then_final(self) -> None:
        transaction = server("REGISTER")
        assert transaction.respond(100, b"trying", 0.0) == [Transmit(b"trying", "first")]
        assert transaction.receive(transaction.request, 0.5) == [Transmit(b"trying", "again")]
        assert transaction.respond(403, b"no", 1.0) == [Transmit(b"no", "first")]

    def test_reliable_does_not_linger(self) -> None:
        transaction = server("OPTIONS", reliable=True)
        transaction.respond(200, b"ok", 1.0)
        assert run_out(transaction) == [(1.0, Terminated())]


def test_timers_scale_with_t1() -> None:
    transaction = client(timers=Timers(t1=0.01, t2=0.04, t4=0.05))
    seen = run_out(transaction)
    assert resent(seen) == pytest.approx([0.01, 0.03, 0.07, 0.15, 0.31, 0.63])
    assert seen[-1][0] == pytest.approx(0.64)


def test_lateness_delays_but_does_not_burst() -> None:
    transaction = client()
    assert resent([(10.0, a) for a in transaction.tick(10.0)]) == [10.0]
    assert transaction.deadline == 11.0


def test_ack_for_a_failure_takes_the_way_of_the_invite() -> None:
    ack = parse(ack_for_failure(request(), response(486, tag="t9")))
    assert (ack.method, ack.uri, ack.cseq) == ("ACK", "sip:bob@b.test", (7, "ACK"))
    assert ack.all("via") == request().all("via")
    assert ack.all("route") == ["<sip:p1.test;lr>", "<sip:p2.test;lr>"]
    assert ack.to_tag == "t9"
    assert ack.from_tag == "a"
    assert ack.call_id == "c1"
    assert ack.body == b""


def test_ack_carries_only_the_top_via() -> None:
    invite = parse(
        request().data.replace(b";branch=z9hG4bKone", b";branch=z9hG4bKone, SIP/2.0/UDP far;branch=z9hG4bK2")
    )
    assert parse(ack_for_failure(invite, response(486))).all("via") == ["SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKone"]


def test_cancel_repeats_its_invite() -> None:
    cancel = parse(cancel_for(request()))
    assert (cancel.method, cancel.uri, cancel.cseq) == ("CANCEL", "sip:bob@b.test", (7, "CANCEL"))
    assert cancel.branch == "z9hG4bKone"
    assert cancel.to_tag == ""
    assert cancel.all("route") == request().all("route")


@pytest.mark.parametrize(
    ("code", "name"),
    [(100, "1xx"), (199, "1xx"), (200, "2xx"), (299, "2xx"), (300, "3-6xx"), (699, "3-6xx"), (799, "3-6xx")],
)
def test_response_classes(code: int, name: str) -> None:
    assert response_class(code) == name


@pytest.mark.parametrize("table", [INVITE_CLIENT, CLIENT, INVITE_SERVER, SERVER], ids=lambda t: t.name)
def test_tables_hang_together(table: Table) -> None:
    """Every state can be reached, every timer of a state has a row there, and nothing leaves the end."""
    reached, todo = set(), [table.first]
    while todo:
        state = todo.pop()
        reached.add(state)
        todo += [row.to for (of, _), row in table.rows.items() if of is state and row.to not in reached]
    assert State.TERMINATED in reached
    assert {state for state, _ in table.rows} <= reached
    assert State.TERMINATED not in {state for state, _ in table.rows}
    for state, letters in table.timers.items():
        assert all((state, letter) in table.rows for letter in letters)
