"""What a script sends of a request once more, or against it, whether the rules allow it or not."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from sip_harness.endpoint import build
from sip_harness.endpoint.client import Client
from sip_harness.endpoint.delivery import Made, dress, fill
from sip_harness.endpoint.request import Request
from sip_harness.endpoint.ua import UserAgent
from sip_harness.model import steps
from sip_harness.model.entry import Origin
from sip_harness.model.steps import Delivery
from sip_harness.sip.message import Message, parse
from sip_harness.sip.transaction import cancel_for
from sip_harness.sip.transaction_key import COOKIE


class Repeats:
    """The repetitions of one request outside of a dialog, and CANCELs at any time."""

    def __init__(self, ua: UserAgent, request: Request, on_response: Callable[[Message], None]) -> None:
        """`on_response` is told of the responses to repetitions on other branches."""
        self._ua = ua
        self._request = request
        self._on_response = on_response
        self._merged: dict[str, Client] = {}
        """Repetitions on branches of their own that have no final response, by branch."""
        self._ringing: set[str] = set()

    def again(self, step: steps.Again, origin: Origin) -> None:
        """Send the request as it was sent last: the very bytes, or on another branch, in a transaction of its own."""
        if not step.branch:
            self._request.client.again(origin)
            return
        branch = COOKIE + secrets.token_hex(9)
        other = dress(self._request.request.data, Delivery(branch=step.branch), Made("", branch))
        client = self._ua.layer.request(parse(other), self._request.hop, origin, lambda r: self._came(branch, r))
        client.on_failure = lambda _why: self._forget(branch)
        self._merged[branch] = client

    def cancel(self, step: steps.Request, origin: Origin) -> None:
        """Send CANCEL at once, with the headers of the step."""
        request = self._request.request
        given = [(name, self._filled(value, request)) for name, value in step.headers]
        data = build.changed(parse(cancel_for(request)), given, step.omit)
        self._ua.layer.request(parse(data), self._request.hop, origin, _ignore, step.how)

    def end(self) -> None:
        """Take back what rings on other branches, wait for nothing."""
        for branch, client in list(self._merged.items()):
            if branch in self._ringing:
                cancel = parse(cancel_for(client.request))
                self._ua.layer.request(cancel, self._request.hop, "protocol", _ignore)
            else:
                client.stop()

    def _came(self, branch: str, response: Message) -> None:
        if response.code < 200:
            self._ringing.add(branch)
        else:
            self._forget(branch)
        self._on_response(response)

    def _forget(self, branch: str) -> None:
        self._merged.pop(branch, None)
        self._ringing.discard(branch)

    def _filled(self, value: str, request: Message) -> str:
        data = value.encode("utf-8", "surrogateescape")
        filled = fill(data, request, self._ua.contact, self._ua.identity.token)
        return filled.decode("utf-8", "surrogateescape")


def _ignore(_response: Message) -> None:
    """Nothing follows from it."""
