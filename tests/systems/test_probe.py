"""Free ports and the answer of one instance."""

from __future__ import annotations

import asyncio
import errno
import socket

import pytest
from udp_phone import Phone, run

from sip_harness.sip.message import Message, parse
from sip_harness.systems import probe
from sip_harness.systems.probe import free_port, until_answer, until_answer_on_tcp


def test_a_free_port_is_free_for_both_transports():
    port = free_port("127.0.0.1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        udp.bind(("127.0.0.1", port))
        tcp.bind(("127.0.0.1", port))


def test_where_tcp_has_no_place_another_port_is_tried(monkeypatch):
    tried = []

    class Socket(socket.socket):
        def bind(self, address: tuple[str, int]) -> None:
            if self.type == socket.SOCK_STREAM:
                tried.append(address[1])
                if len(tried) < 3:
                    raise OSError(errno.EADDRINUSE, "in use")
            super().bind(address)

    monkeypatch.setattr(probe.socket, "socket", Socket)
    assert free_port("127.0.0.1") == tried[-1]
    assert len(tried) >= 3  # one more for each that somebody else happens to have


def test_when_none_is_free_it_says_so(monkeypatch):
    class Socket(socket.socket):
        def bind(self, address: tuple[str, int]) -> None:
            if self.type == socket.SOCK_STREAM:
                raise OSError(errno.EADDRINUSE, "in use")
            super().bind(address)

    monkeypatch.setattr(probe.socket, "socket", Socket)
    with pytest.raises(OSError, match=r"no port of 127\.0\.0\.1 is free"):
        free_port("127.0.0.1")


async def asked(phone: Phone, asker: tuple[str, int] | None = None) -> Message:
    data, phone.system = await asyncio.get_running_loop().sock_recvfrom(phone.socket, 65_535)
    return parse(data)


def test_it_asks_until_the_right_instance_answers():
    async def main() -> None:
        phone = Phone("system", ("127.0.0.1", 9))
        port = phone.socket.getsockname()[1]
        task = asyncio.create_task(until_answer(("127.0.0.1", port), "mine"))
        try:
            for code, instance in ((200, "other"), (503, "mine"), (200, "")):
                question = await asked(phone)
                assert question.method == "OPTIONS"
                phone.answer(question, code, Organization=instance)
                phone.send(b"\x00 not SIP at all")
            last = await asked(phone)
            assert not task.done()
            phone.answer(last, 200, Organization="mine")
            async with asyncio.timeout(5):
                await task
        finally:
            task.cancel()
            phone.close()

    run(main())


def test_questions_are_transactions_of_their_own():
    async def main() -> None:
        phone = Phone("system", ("127.0.0.1", 9))
        task = asyncio.create_task(until_answer(phone.socket.getsockname(), "mine"))
        try:
            first, second = await asked(phone), await asked(phone)
            assert first.branch != second.branch
            assert first.branch.startswith("z9hG4bK")
            assert not first.faults
            assert first.get("Max-Forwards") == "70"
        finally:
            task.cancel()
            phone.close()

    run(main())


def test_a_port_that_opens_late_is_found():
    """Before it is bound the kernel refuses (ECONNREFUSED): that is no failure, and must not end the asking."""

    async def main() -> None:
        port = free_port("127.0.0.1")
        task = asyncio.create_task(until_answer(("127.0.0.1", port), "late"))
        await asyncio.wait((task,), timeout=0.05)
        assert not task.done()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as late:
            late.setblocking(False)
            late.bind(("127.0.0.1", port))
            data, peer = await asyncio.get_running_loop().sock_recvfrom(late, 65_535)
            copied = [line for line in data.split(b"\r\n")[1:] if line.split(b":")[0] != b"Content-Length"]
            late.sendto(b"\r\n".join([b"SIP/2.0 200 OK", b"Organization: late", *copied]), peer)
            async with asyncio.timeout(5):
                await task

    run(main())


async def answering(reply: bytes) -> OSError | None:
    """What comes of asking a TCP server that answers with these bytes and closes."""
    questions = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        questions.append(parse(await reader.readuntil(b"\r\n\r\n")))
        writer.write(reply)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server, asyncio.timeout(5):
        try:
            await until_answer_on_tcp(server.sockets[0].getsockname(), "mine")
        except OSError as error:
            return error
        finally:
            assert [q.method for q in questions] == ["OPTIONS"]
            assert "SIP/2.0/TCP" in (questions[0].get("Via") or "")
    return None


def test_on_tcp_the_right_answer_is_enough():
    assert run(answering(b"SIP/2.0 200 OK\r\nOrganization: mine\r\nContent-Length: 0\r\n\r\n")) is None


@pytest.mark.parametrize(
    ("reply", "match"),
    [
        (b"SIP/2.0 200 OK\r\nOrganization: other\r\n\r\n", "somebody else answers"),
        (b"SIP/2.0 503 No\r\nOrganization: mine\r\n\r\n", "somebody else answers"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no answer"),
        (b"SIP/2.0 200", "no answer"),
        (b"", "no answer"),
        (b"a" * 200_000, "no answer"),
    ],
)
def test_on_tcp_anything_else_is_an_error(reply, match):
    error = run(answering(reply))
    assert error is not None
    assert match in str(error)


def test_on_tcp_a_refused_connection_is_an_error():
    with pytest.raises(ConnectionRefusedError):
        run(until_answer_on_tcp(("127.0.0.1", free_port("127.0.0.1")), "mine"))
