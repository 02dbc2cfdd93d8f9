"""The registrar and the router: who is there, in which order (RFC 3261 10.3, 16.5)."""

from __future__ import annotations

import pytest
from proxy_stage import Stage

from sip_harness.sip.digest import Challenge, authorization
from sip_harness.sip.message import Message, build, parse
from sip_harness.systems.reference.actions import Target
from sip_harness.systems.reference.anonymity import is_anonymous
from sip_harness.systems.reference.auth import LIFETIME, Authenticator
from sip_harness.systems.reference.registrar import MAX_CONTACTS, Refused, Registrar
from sip_harness.systems.reference.router import Router


def register(*contacts: str, expires: str | None = None, call_id: str = "c", cseq: int = 1, to: str = "bob") -> Message:
    headers = [
        ("To", f"<sip:{to}@x>"),
        ("From", "<sip:bob@x>;tag=1"),
        ("Call-ID", call_id),
        ("CSeq", f"{cseq} REGISTER"),
    ]
    headers += [("Contact", contact) for contact in contacts]
    headers += [("Expires", expires)] if expires is not None else []
    return parse(build("REGISTER sip:x SIP/2.0", headers))


def there(registrar: Registrar, now: float = 0.0) -> list[str]:
    return [str(contact.uri) for contact in registrar.lookup("bob", now)]


def test_contacts_are_added_replaced_removed_and_listed() -> None:
    registrar = Registrar()
    assert registrar.register(register("<sip:a@h>;q=0.5;expires=60"), 0) == [
        ("Contact", "<sip:a@h>;q=0.5;expires=60"),
    ]
    listed = registrar.register(register("sip:b@h", expires="30", cseq=2), 10)
    assert listed == [("Contact", "<sip:a@h>;q=0.5;expires=50"), ("Contact", "<sip:b@h>;expires=30")]
    registrar.register(register("<sip:a@h>;q=0.9", cseq=3), 10)
    assert [c.q for c in registrar.lookup("bob", 10)] == [0.9, 1.0]
    registrar.register(register("<sip:a@h>;expires=0", cseq=4), 10)
    assert there(registrar, 10) == ["sip:b@h"]
    assert there(registrar, 41) == []


def test_a_request_without_contact_only_asks() -> None:
    registrar = Registrar()
    registrar.register(register("<sip:a@h>"), 0)
    assert len(registrar.register(register(cseq=2), 0)) == 1


def test_a_star_removes_all_and_stands_alone() -> None:
    registrar = Registrar()
    registrar.register(register("<sip:a@h>", "<sip:b@h>"), 0)
    for wrong in (register("*", cseq=2), register("*", "<sip:a@h>", expires="0", cseq=2)):
        with pytest.raises(Refused) as caught:
            registrar.register(wrong, 0)
        assert caught.value.code == 400
    assert len(there(registrar)) == 2
    assert registrar.register(register("*", expires="0", cseq=2), 0) == []
    assert there(registrar) == []


def test_as_many_contacts_as_a_user_may_have_whatever_a_request_does_with_them() -> None:
    registrar = Registrar()
    registrar.limit("bob", 2, 503)
    registrar.register(register("<sip:a@h>", "<sip:b@h>"), 0)
    with pytest.raises(Refused) as caught:
        registrar.register(register("<sip:c@h>", cseq=2), 0)
    assert caught.value.code == 503
    registrar.register(register("<sip:c@h>", "<sip:a@h>;expires=0", cseq=3), 0)  # one comes, one goes
    assert there(registrar) == ["sip:b@h", "sip:c@h"]
    registrar.register(register("<sip:a@h>", to="carol", cseq=4), 0)
    registrar.forget("bob")
    registrar.register(register("<sip:a@h>", "<sip:b@h>", "<sip:c@h>", cseq=5), 0)
    assert len(there(registrar)) == 3


def flow(uri: str, number: int, instance: str = "i") -> str:
    return f'<{uri}>;reg-id={number};+sip.instance="<urn:{instance}>"'


def test_flows_of_one_instance_are_one_target_and_the_latest_comes_first() -> None:
    registrar = Registrar()
    for cseq, contact in enumerate((flow("sip:a@1", 1), "<sip:b@x>", flow("sip:c@1", 1, "j"), flow("sip:a@2", 2)), 1):
        request = register(contact, cseq=cseq)
        registrar.register(parse(request.data.replace(b"CSeq:", b"Supported: outbound\r\nCSeq:", 1)), 0)
    [group] = Router(registrar).groups("bob", 0)
    assert [(t.uri, [one.uri for one in t.others]) for t in group] == [
        ("sip:a@2", ["sip:a@1"]), ("sip:b@x", []), ("sip:c@1", [])
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "anonymous"),
    [
        ({}, False),
        ({"Privacy": "none"}, False),
        ({"Privacy": "session; critical"}, False),
        ({"Privacy": "header;ID"}, True),
        ({"Privacy": "user"}, True),
        ({"From": "Anonymous <sip:anonymous@anonymous.invalid>"}, True),
        ({"From": "<sip:anonymous@ANONYMOUS.invalid>", "P-Asserted-Identity": "<sip:bob@x>"}, False),
        ({"From": "<sip:anonymous@x>"}, False),
        ({"From": "\0;;<"}, False),
    ],
)
def test_who_is_anonymous(headers: dict[str, str], anonymous: bool) -> None:
    fields = {"From": "<sip:alice@x>;tag=1", **headers}
    assert is_anonymous(parse(build("INVITE sip:x SIP/2.0", list(fields.items())))) is anonymous


def test_a_number_that_is_longer_than_a_known_one() -> None:
    router = Router(Registrar())
    for user, host in (("49", "a"), ("4930", "b"), ("50", "c")):
        router.add(user, [Target(f"sip:{user}@{host}", 1.0, host)])
    router.wish("49", ["overlap"])
    router.wish("4930", ["overlap"])
    router.add("a b", [Target("sip:a%20b@d", 1.0, "d")])
    router.wish("a%20b", ["overlap"])
    assert [t.uri for group in router.groups("a%20b1", 0) for t in group] == ["sip:a%20b1@d"]
    for dialled, leads in (("49", "sip:49@a"), ("4931", "sip:4931@a"), ("49301", "sip:49301@b"), ("501", None)):
        assert [t.uri for group in router.groups(dialled, 0) for t in group] == ([leads] if leads else [])
        assert router.has_carriers(dialled) is (leads is not None)


@pytest.mark.parametrize(
    "request_",
    [
        register("<sip:a@h>;expires=0"),  # same Call-ID, same CSeq
        register("<sip:new@h>", "<tel:1>", cseq=9),
        register("<sip:new@h>", to="<", cseq=9),
        register("*", expires="0"),
        register(*(f"<sip:{n}@h>" for n in range(MAX_CONTACTS)), cseq=9),
    ],
)
def test_what_is_refused_changes_nothing(request_: Message) -> None:
    registrar = Registrar()
    registrar.register(register("<sip:a@h>"), 0)
    with pytest.raises(Refused):
        registrar.register(request_, 0)
    assert there(registrar) == ["sip:a@h"]


def test_groups_are_by_q_and_carriers_may_be_banned_or_dead() -> None:
    router = Router(Registrar())
    router.registrar.register(register("<sip:a@h>;q=0.5", "<sip:b@h>;q=0.9", "<sip:c@h>;q=0.5"), 0)
    g1, g2 = router.add("bob", [Target("sip:g1@h", 0.5, "g1"), Target("sip:g2@h", 0.1, "g2")])
    uris = [[t.uri for t in group] for group in router.groups("bob", 0)]
    assert uris == [["sip:b@h"], ["sip:a@h", "sip:c@h", "sip:g1@h"], ["sip:g2@h"]]
    router.ban(g1.target, 5, 0)
    g2.alive = False
    assert [len(group) for group in router.groups("bob", 4)] == [1, 2]
    assert [len(group) for group in router.groups("bob", 5)] == [1, 3]
    router.remove("bob")
    assert router.groups("bob", 5) == []


def test_a_ban_holds_for_one_run_only() -> None:
    router = Router(Registrar())
    [mine] = router.add("one", [Target("sip:one@127.1.1.1", 1, "g1")])
    router.add("two", [Target("sip:two@127.2.2.2", 1, "g1")])
    router.ban(mine.target, 60, 0)
    assert router.groups("one", 1) == []
    assert len(router.groups("two", 1)) == 1


def test_credentials_are_good_until_the_nonce_is_old() -> None:
    now = [0.0]
    auth = Authenticator("secret", lambda: now[0])
    challenge = Challenge.parse(auth.challenge())

    def request(password: str) -> Message:
        value = authorization(challenge, username='a"b', password=password, method="REGISTER", uri="sip:x")
        return parse(build("REGISTER sip:x SIP/2.0", [("Authorization", value)]))

    assert auth.accepts(request("secret"), "authorization")
    assert not auth.accepts(request("wrong"), "authorization")
    assert not auth.accepts(request("secret"), "proxy-authorization")
    now[0] = LIFETIME + 1
    assert not auth.accepts(request("secret"), "authorization")
    assert auth.is_stale(request("secret"), "authorization")
    assert not auth.is_stale(request("wrong"), "authorization")


@pytest.mark.parametrize(
    "value", ["", "Digest", "Basic x", 'Digest nonce="x"', 'Digest realm="sip-harness", nonce="9-9"']
)
def test_credentials_that_are_none_are_refused(value: str) -> None:
    auth = Authenticator("secret", lambda: 0.0)
    request = parse(build("REGISTER sip:x SIP/2.0", [("Authorization", value)]))
    assert not auth.accepts(request, "authorization")
    assert not auth.is_stale(request, "authorization")


def test_a_caller_with_credentials_gets_through_and_they_go_no_further() -> None:
    stage = Stage(digest=True, password="secret")
    stage.alice.request("INVITE", stage.bob)
    stage.run(0.1)
    challenge = Challenge.parse(stage.alice.heard[0][1].get("proxy-authenticate") or "")

    def proved(who: str, method: str, uri: str) -> str:
        return authorization(challenge, username=who, password="secret", method=method, uri=uri)

    desk = stage.phone("desk", 486)
    assert stage.proxy.core.registrar.lookup("bob", 0) == []
    stage.register(desk.uri, Authorization=proved("bob", "REGISTER", "sip:127.0.0.1:5060"))
    stage.call(1, Proxy_Authorization=proved("alice", "INVITE", stage.bob))
    assert stage.alice.finals == [407, 486]
    assert desk.messages("INVITE")[0].get("proxy-authorization") is None
