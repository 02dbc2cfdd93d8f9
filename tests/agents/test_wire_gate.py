"""Credentials that a wire agent asks for, and registrations that it grants."""

from __future__ import annotations

import pytest

from sip_harness.agents.base import SetupRefused
from sip_harness.agents.wire_gate import Gate
from sip_harness.endpoint.request import Challenged, Credentials
from sip_harness.model.script import Script
from sip_harness.model.steps import Challenge, Grant, Send, Step
from sip_harness.model.system import User
from sip_harness.script.choice import Attempts
from sip_harness.sip.message import Message, build, parse

USER = User("line", "x.test", "secret")
OK = Send(200, "OK")


def register(*more: tuple[str, str], number: int = 1) -> Message:
    own = [("From", "<sip:line@x.test>;tag=f"), ("Call-ID", "c1"), ("CSeq", f"{number} REGISTER"), *more]
    return parse(build("REGISTER sip:x.test SIP/2.0", own))


class Registrar:
    """A gate with one list of steps."""

    def __init__(self, *steps: Step) -> None:
        self.gate = Gate(USER, {})
        self.attempts = Attempts(Script((steps,)))

    def ask(self, request: Message) -> Send:
        found = self.gate.steps(self.attempts, request)
        assert found is not None
        [step] = found[1]
        assert isinstance(step, Send)
        return step

    def retry(self, refusal: Send, password: str, user: str = "line") -> tuple[Message, Send]:
        response = parse(build(f"SIP/2.0 {refusal.code} No", refusal.headers))
        answer = Challenged(Credentials(user, password)).answer(response, register())
        assert answer is not None
        request = register(*answer, number=2)
        return request, self.ask(request)


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "SHA-512-256-sess"])
@pytest.mark.parametrize("qop", ["auth", "auth-int", ""])
def test_the_right_credentials_open(algorithm: str, qop: str) -> None:
    registrar = Registrar(Challenge(algorithms=(algorithm,), qop=qop), OK)
    refusal = registrar.ask(register())
    assert (refusal.code, len(refusal.headers)) == (401, 1)
    assert registrar.retry(refusal, "secret")[1] == OK


@pytest.mark.parametrize(("user", "password"), [("line", "wrong"), ("other", "secret")])
def test_others_are_challenged_again_with_a_fresh_nonce(user: str, password: str) -> None:
    registrar = Registrar(Challenge(), OK)
    refusal = registrar.ask(register())
    again = registrar.retry(refusal, password, user)[1]
    assert again.code == 401
    assert again.headers != refusal.headers
    assert "stale" not in again.headers[0][1]


def test_credentials_that_come_twice_are_stale() -> None:
    registrar = Registrar(Challenge(407), OK)
    request, accepted = registrar.retry(registrar.ask(register()), "secret")
    assert accepted == OK
    refusal = registrar.ask(request)
    assert refusal.code == 407
    assert refusal.headers[0][0] == "Proxy-Authenticate"
    assert "stale=true" in refusal.headers[0][1]


def test_the_first_right_credentials_may_come_too_late() -> None:
    registrar = Registrar(Challenge(407, stale=True), OK)
    wrong = registrar.retry(registrar.ask(register()), "wrong")[1]
    assert "stale" not in wrong.headers[0][1]
    request, late = registrar.retry(wrong, "secret")
    assert (late.code, late.headers[0][1].endswith(", stale=true")) == (407, True)
    assert registrar.ask(request).code == 407  # the nonce that was too old does not become good again
    assert registrar.retry(late, "wrong")[1].code == 407
    assert registrar.retry(late, "secret")[1] == OK


def test_a_nonce_that_nobody_gave_out_opens_nothing() -> None:
    registrar, other = Registrar(Challenge(), OK), Registrar(Challenge(), OK)
    request, _ = other.retry(other.ask(register()), "secret")
    assert registrar.ask(request).code == 401
    hostile = register(("Authorization", "Digest " + "x" * 9000), ("Authorization", 'Digest username="line"'))
    assert registrar.ask(hostile).code == 401


def test_the_script_may_name_another_account_and_must_if_there_is_none() -> None:
    registrar = Registrar(Challenge(user="me", password="mine", realm="here"), OK)
    refusal = registrar.ask(register())
    assert 'realm="here"' in refusal.headers[0][1]
    assert registrar.retry(refusal, "mine", "me")[1] == OK
    nobody = Gate(User("line", "x.test"), {})
    nobody.check(Script(((Challenge(user="me", password="mine"),),)))
    with pytest.raises(SetupRefused, match="no account here with a password"):
        nobody.check(Script(((Challenge(),),)))


CONTACT = ("Contact", "<sip:line@1>;q=0.5")


@pytest.mark.parametrize(
    ("grant", "expires", "answer"),
    [
        (Grant(), "60", (200, (("Contact", f"{CONTACT[1]};expires=60"),))),
        (Grant(expires=20), "60", (200, (("Contact", f"{CONTACT[1]};expires=20"),))),
        (Grant(least=90), "60", (423, (("Min-Expires", "90"),))),
        (Grant(least=60), "60", (200, (("Contact", f"{CONTACT[1]};expires=60"),))),
        (Grant(least=90), "0", (200, ())),
    ],
)
def test_registrations_are_granted(grant: Grant, expires: str, answer: tuple[int, tuple[tuple[str, str], ...]]) -> None:
    sent = Registrar(grant).ask(register(CONTACT, ("Expires", expires)))
    assert (sent.code, sent.headers) == answer


def test_a_lifetime_of_the_contact_itself_is_cut_down_in_its_place() -> None:
    sent = Registrar(Grant(expires=5)).ask(register(("Contact", "<sip:line@1>;expires=30;q=0.1")))
    assert sent.headers == (("Contact", "<sip:line@1>;expires=5;q=0.1"),)
