"""SIP messages as a capture shows them, told line by line: who said what to whom, and when."""

from __future__ import annotations

from dataclasses import dataclass, field

from sip_harness.capture.packets import Packet
from sip_harness.model.entry import Address

ALICE: Address = ("192.0.2.7", 5060)
PBX: Address = ("192.0.2.1", 5060)
G1: Address = ("203.0.113.1", 5060)
G2: Address = ("203.0.113.2", 5060)
G3: Address = ("203.0.113.3", 5060)
SDP = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
START = 1_790_000_000_000_000_000


@dataclass
class Told:
    """Packets of one capture, in the order in which they are told. Times are seconds since its begin."""

    packets: list[Packet] = field(default_factory=list)

    def ask(
        self,
        at: float,
        source: Address,
        target: Address,
        method: str,
        *headers: str,
        call: str = "a",
        branch: str = "",
        cseq: int = 1,
        to_tag: str = "",
        from_tag: str = "",
        user: str = "4930123",
        body: str = "",
    ) -> None:
        """A request; its branch is the one of its INVITE unless another is given."""
        branch = branch or f"z9hG4bK{call}{source[0]}{target[0]}{cseq}"
        to = f"<sip:{user}@example>" + (f";tag={to_tag}" if to_tag else "")
        lines = [
            f"{method} sip:{user}@{target[0]} SIP/2.0",
            f"Via: SIP/2.0/UDP {source[0]}:{source[1]};branch={branch}",
        ]
        lines += [
            f"From: <sip:alice@example>;tag={from_tag or f'from-{call}'}",
            f"To: {to}",
            f"Call-ID: {call}",
            f"CSeq: {cseq} {method}",
        ]
        self._add(at, source, target, [*lines, *headers], body)

    def answer(
        self,
        at: float,
        source: Address,
        target: Address,
        line: str,
        *headers: str,
        method: str = "INVITE",
        call: str = "a",
        cseq: int = 1,
        tag: str = "",
        branch: str = "",
        body: str = "",
    ) -> None:
        """A response on the branch of its request."""
        branch = branch or f"z9hG4bK{call}{target[0]}{source[0]}{cseq}"
        to = "<sip:4930123@example>" + (f";tag={tag or source[0]}" if line[:3] != "100" else "")
        lines = [f"SIP/2.0 {line}", f"Via: SIP/2.0/UDP {target[0]}:{target[1]};branch={branch}"]
        lines += [
            f"From: <sip:alice@example>;tag=from-{call}",
            f"To: {to}",
            f"Call-ID: {call}",
            f"CSeq: {cseq} {method}",
        ]
        self._add(at, source, target, [*lines, *headers], body)

    def _add(self, at: float, source: Address, target: Address, lines: list[str], body: str) -> None:
        text = "\r\n".join([*lines, f"Content-Length: {len(body.encode())}", "", body])
        self.packets.append(Packet(START + round(at * 1e9), source, target, text.encode("utf-8", "surrogateescape")))


def answered_call(phone: Address = G1) -> Told:
    """A call of alice that a phone answers after 100 ms; nobody has hung up yet."""
    told = Told()
    told.ask(0.0, ALICE, PBX, "INVITE", "Content-Type: application/sdp", body=SDP)
    told.ask(0.001, PBX, phone, "INVITE", "Content-Type: application/sdp", body=SDP)
    told.answer(0.1, phone, PBX, "200 OK", "Content-Type: application/sdp", body=SDP)
    told.answer(0.101, PBX, ALICE, "200 OK", "Content-Type: application/sdp", tag=phone[0], body=SDP)
    told.ask(0.11, ALICE, PBX, "ACK", branch="z9hG4bKack", to_tag=phone[0])
    told.ask(0.111, PBX, phone, "ACK", branch="z9hG4bKack2", to_tag=phone[0])
    return told


def passed_on(
    told: Told,
    at: float,
    method: str,
    line: str = "",
    *headers: str,
    cseq: int,
    phone: Address = G1,
    by_phone: bool = False,
    body: str = "",
    acked: bool = True,
    answered: tuple[str, ...] = (),
) -> None:
    """A request within that call that a proxy passes on, by its caller or, with `by_phone`, by its phone; after 30 ms
    its final response, if `line` is one, with the headers `answered`; and the ACK of a re-INVITE."""
    first, last = (phone, ALICE) if by_phone else (ALICE, phone)
    tags = ("from-a", phone[0]) if by_phone else (phone[0], "from-a")
    said = {"cseq": cseq, "to_tag": tags[0], "from_tag": tags[1], "body": body}
    told.ask(at, first, PBX, method, *headers, branch=f"z9hG4bK{cseq}{first[0]}a", **said)  # type: ignore[arg-type]
    told.ask(at + 0.001, PBX, last, method, *headers, branch=f"z9hG4bK{cseq}{first[0]}b", **said)  # type: ignore[arg-type]
    if not line:
        return
    for after, source, target, leg in ((0.03, last, PBX, "b"), (0.031, PBX, first, "a")):
        branch = f"z9hG4bK{cseq}{first[0]}{leg}"
        told.answer(at + after, source, target, line, *answered, method=method, cseq=cseq, branch=branch, tag=tags[0])
    if method == "INVITE" and acked:
        for after, source, target, leg in ((0.032, PBX, last, "b"), (0.033, first, PBX, "a")):
            branch = f"z9hG4bK{cseq}{first[0]}{leg}" + ("ack" if line[0] == "2" else "")
            told.ask(at + after, source, target, "ACK", branch=branch, cseq=cseq, to_tag=tags[0], from_tag=tags[1])


def carrier_call() -> Told:
    """A call that the first carrier has no room for and the second one takes; the caller is in the picture."""
    told = Told()
    told.ask(0.0, ALICE, PBX, "INVITE")
    told.answer(0.001, PBX, ALICE, "100 Trying")
    told.ask(0.002, PBX, G1, "INVITE")
    told.answer(0.03, G1, PBX, "100 Trying")
    told.answer(0.25, G1, PBX, "503 All circuits busy", "Retry-After: 30", 'Reason: Q.850;cause=34;text="no, circuit"')
    told.ask(0.251, PBX, G1, "ACK", to_tag=G1[0])
    told.ask(0.252, PBX, G2, "INVITE")
    told.answer(0.3, G2, PBX, "183 Session Progress", "Content-Type: application/sdp", body=SDP)
    told.answer(0.301, PBX, ALICE, "183 Session Progress", "Content-Type: application/sdp", tag=G2[0], body=SDP)
    told.answer(3.3, G2, PBX, "200 OK", "Content-Type: application/sdp", body=SDP)
    told.answer(3.301, PBX, ALICE, "200 OK", "Content-Type: application/sdp", tag=G2[0], body=SDP)
    told.ask(3.31, ALICE, PBX, "ACK", branch="z9hG4bKack", to_tag=G2[0])
    told.ask(3.311, PBX, G2, "ACK", branch="z9hG4bKack2", to_tag=G2[0])
    told.ask(5.0, ALICE, PBX, "BYE", cseq=2, to_tag=G2[0])
    told.ask(5.001, PBX, G2, "BYE", cseq=2, to_tag=G2[0])
    told.answer(5.01, G2, PBX, "200 OK", method="BYE", cseq=2)
    told.answer(5.011, PBX, ALICE, "200 OK", method="BYE", cseq=2, tag=G2[0])
    return told
