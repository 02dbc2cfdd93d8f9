"""Which steps a request gets: by what it says, by its number, and what a retry with credentials counts as."""

from __future__ import annotations

import pytest

from sip_harness.model.script import Case, Reaction, Script, When
from sip_harness.model.steps import Challenge, Send
from sip_harness.script.choice import Attempts, case_of
from sip_harness.sip.message import Message, build, parse

OK = (Send(200, "OK"),)
CHALLENGED = (Send(401, "Unauthorized"),)
CREDENTIALS = ("Authorization", "Digest x")


def invite(number: int = 1, call: str = "c1", *more: tuple[str, str], uri: str = "sip:b@x") -> Message:
    own = [("From", "<sip:alice-t1@x>;tag=f"), ("Call-ID", call), ("CSeq", f"{number} INVITE"), *more]
    return parse(build(f"INVITE {uri} SIP/2.0", own))


def numbers(script: Script | Reaction, *requests: Message) -> list[int]:
    attempts = Attempts(script)
    return [attempts.number(request) for request in requests]


def test_attempts_are_new_transactions() -> None:
    assert numbers(Script((OK,)), *(invite(call=f"c{i}") for i in range(3))) == [0, 1, 2]


def test_a_retry_with_credentials_is_the_attempt_that_asked_for_them() -> None:
    retries = invite(), invite(2, "c1", CREDENTIALS), invite(3, "c1", CREDENTIALS)
    first_time = invite(1, "other", CREDENTIALS)
    assert numbers(Script((CHALLENGED,)), *retries, first_time) == [0, 0, 0, 1]
    assert numbers(Script(((Challenge(), *OK),)), *retries) == [0, 0, 0]
    assert numbers(Script((OK,)), *retries) == [0, 1, 2], "nobody asked"


def test_without_credentials_or_a_higher_number_it_is_another_attempt() -> None:
    script = Script((CHALLENGED,))
    assert numbers(script, invite(), invite(2), invite(2, "c1", CREDENTIALS)) == [0, 1, 2]


def test_a_reaction_counts_every_request_but_what_answers_a_challenge() -> None:
    retried = invite(), invite(2, "c1", CREDENTIALS)
    assert numbers(Reaction("REGISTER", (CHALLENGED, OK)), *retried) == [0, 1]
    assert numbers(Reaction("REGISTER", ((Challenge(), *OK),)), *retried) == [0, 0]


@pytest.mark.parametrize(
    ("when", "fits"),
    [
        (When(caller="alice"), True),
        (When(caller="carol"), False),
        (When(user="b"), True),
        (When(user="/^00/"), False),
        (When(headers=(("x-mood", "good"),)), True),
        (When(headers=(("X-Mood", "goo"),)), False),
        (When(headers=(("X-Mood", "/oo/"), ("Subject", "absent"))), True),
        (When(headers=(("X-Mood", "present"), ("s", "present"))), False),
    ],
)
def test_a_case_is_for_the_requests_of_which_all_of_it_holds(when: When, fits: bool) -> None:
    script = Script((OK,), cases=(Case(When(user="nobody"), ()), Case(when, CHALLENGED)))
    found = case_of(script, invite(1, "c1", ("X-Mood", "good")), {"alice": "alice-t1", "carol": "carol-t1"})
    assert found == (CHALLENGED if fits else None)


def test_the_number_of_a_tel_uri_is_its_user() -> None:
    script = Script((OK,), cases=(Case(When(user="+4930"), CHALLENGED),))
    assert case_of(script, invite(uri="tel:+4930;phone-context=x"), {}) == CHALLENGED
    assert case_of(script, invite(uri="what is this"), {}) is None
