"""One request on its way through the proxy: its response context carried out on the transaction layer."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from sip_harness.endpoint.client import Client
from sip_harness.endpoint.server import Server
from sip_harness.endpoint.transactions import Why
from sip_harness.net.clock import Timer
from sip_harness.sip.message import Message
from sip_harness.sip.transaction import ack_for_failure
from sip_harness.sip.uri import Uri, unescape
from sip_harness.systems.reference import forward, redirects
from sip_harness.systems.reference.acks import Acks
from sip_harness.systems.reference.actions import Action, Cancel, Ended, Finish, Forward, GiveUp, Start, Target
from sip_harness.systems.reference.asked import asked
from sip_harness.systems.reference.best import Answer
from sip_harness.systems.reference.context import Context
from sip_harness.systems.reference.core import Core
from sip_harness.systems.reference.overload import OFFER

LATENESS = 0.8
"""Of the transaction timer: how late a CANCEL is under the fault `cancels-late`."""
_FAILED = {"timeout": 408, "transport": 503}
"""What a branch without an answer counts as (RFC 3261 16.7, 16.9)."""


class Call:
    """A server transaction, its branches, and the context between them."""

    def __init__(
        self,
        core: Core,
        server: Server,
        groups: Sequence[Sequence[Target]],
        routes: list[str],
        wishes: frozenset[str] = frozenset(),
    ) -> None:
        """Nothing is sent before `begin`. `wishes` are optional capabilities that the call is treated by."""
        self._core = core
        self._server = server
        self._routes = routes
        self._invite = server.request.method == "INVITE"
        self._throttles = "overload-control" in wishes and "offers-no-overload-control" not in core.faults
        self._asked = asked(server.request, core.faults)
        redirects = self._redirects if "recursion" in wishes and self._asked.recurses else None
        stays = "stays-after-ringing" in wishes and "fails-over-after-ringing" not in core.faults
        breadth = forward.breadth_of(server.request)
        groups = self._asked.arranged(groups)
        self._context = Context(groups, core.settings, self._invite, redirects, breadth, stays, self._asked)
        self._clients: dict[int, Client] = {}
        self._timer: Timer | None = None
        self._reasons: list[str] = []
        self._waiting: list[Server] = []
        self._proved: set[int] = set()

    def begin(self) -> None:
        """Answer 100 and try the first targets."""
        if self._invite and "sends-no-100" not in self._core.faults:
            self._core.reply(self._server, 100)  # RFC 3261 17.2.1
        if not self._invite and "sends-100-to-others" in self._core.faults:
            self._core.reply(self._server, 100)
        self._server.on_cancel = self._on_cancel
        self._core.open.add(self)
        self._perform(self._context.begin(self._now()))

    @property
    def user(self) -> str:
        """Who is called."""
        called = forward.readable(self._server.request.uri)
        return unescape(called.user) if called is not None else ""

    def join(self, target: Target) -> None:
        """A fault: call this one as well."""
        self._perform(self._context.join(target, self._now()))

    def close(self) -> None:
        """Stop its timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_cancel(self, cancel: Server) -> None:
        """The caller's CANCEL is answered here, at once, and passed on to every branch (RFC 3261 16.10)."""
        self._core.log(self._server.request, "the caller cancels")
        if "delays-200-to-cancel" in self._core.faults and not self._context.finished:
            self._waiting.append(cancel)
        else:
            self._core.reply(cancel, 200)
        self._reasons = [] if "drops-callers-reason" in self._core.faults else cancel.request.all("reason")
        self._perform(self._context.cancel(self._now()))

    def _on_response(self, number: int, response: Message) -> None:
        self._log(f"{response.code} {response.reason} on branch {number}")
        if "answers-for-the-caller" in self._core.faults and self._prove(number, response):
            return
        client = self._clients[number]
        if self._invite and response.code // 100 == 2 and "acknowledges-for-the-caller" in self._core.faults:
            self._core.layer.send(ack_for_failure(client.request, response), client.hop, "protocol")
        self._note_overload(self._context.branches[number].target, response)
        self._note_retry_after(self._context.branches[number].target, response)
        self._perform(self._context.receive(number, response, self._now()))

    def _on_failure(self, number: int, why: Why) -> None:
        self._log(f"{'no answer' if why == 'timeout' else 'nothing could be sent'} on branch {number}")
        self._perform(self._context.fail(number, _FAILED[why], self._now()))

    def _tick(self) -> None:
        self._timer = None
        self._perform(self._context.tick(self._now()))

    def _perform(self, actions: Iterable[Action]) -> None:
        todo = deque(actions)
        while todo:
            action = todo.popleft()
            if isinstance(action, Start):
                todo.extend(self._start(action))
            elif isinstance(action, Forward):
                self._forward(action)
            elif isinstance(action, Cancel):
                self._cancel(action)
            elif isinstance(action, Ended):
                self._tell_ended(action)
            elif isinstance(action, GiveUp):
                self._log(f"branch {action.branch} is given up")
                self._clients[action.branch].stop()
            else:
                self._finish(action)
        self._arm()

    def _arm(self) -> None:
        self.close()
        if self._context.over:
            self._server.release()
            self._core.open.discard(self)
        elif (deadline := self._context.deadline) is not None:
            self._timer = self._core.clock.at(deadline, self._tick)

    def _start(self, action: Start) -> list[Action]:
        faults, group = self._core.faults, self._context.branches[action.branch].group
        request, uri = self._server.request, forward.request_uri(action.target.uri, faults)
        by_udp = "calls-by-udp-only" in faults
        back = action.target.redirected_by if "sends-redirected-calls-back" in faults else ""
        routes = [*action.target.path, *self._routes]
        hop = self._core.hop_to(back or forward.next_hop(forward.without_transport(uri) if by_udp else uri, routes))
        if hop is None:
            self._log(f"branch {action.branch}: {uri} is not on loopback or not by UDP or TCP: nothing is sent there")
            return self._context.fail(action.branch, _FAILED["transport"], self._now())
        self._log(f"branch {action.branch}: {request.method} to {uri}")
        spent = group if "hops-per-attempt" in faults else 0
        offer = OFFER if self._throttles and action.target.carrier else ""
        onward = self._core.onward(
            request, self._server.source, uri, routes, hop, spent=spent, breadth=action.breadth, offer=offer
        )
        client = self._core.layer.request(onward, hop, "protocol", partial(self._on_response, action.branch))
        client.on_failure = partial(self._on_failure, action.branch)
        client.dress_ack = Acks(self._core.faults)
        self._clients[action.branch] = client
        return []

    def _prove(self, number: int, response: Message) -> bool:
        """A fault: ask this target once more, with credentials that nobody has given us. Whether that was done."""
        old = self._clients[number]
        again = forward.with_credentials(old.request, response)
        if response.code != 407 or again is None or number in self._proved:
            return False
        self._proved.add(number)
        client = self._core.layer.request(again, old.hop, "protocol", partial(self._on_response, number))
        client.on_failure = partial(self._on_failure, number)
        self._clients[number] = client
        return True

    def _forward(self, action: Forward) -> None:
        data = forward.response_on(action.message, faults=self._core.faults)
        if action.past:
            self._server.send_past(data, "protocol")
        else:
            self._server.respond(action.message.code, data, "protocol")

    def _tell_ended(self, action: Ended) -> None:
        """RFC 6228 6: with the To tag of that dialog, and why it ended."""
        reason = [("Reason", f"SIP;cause={action.code}")]
        self._server.respond(199, self._core.own(self._server, 199, reason, tag=action.tag), "protocol")

    def _cancel(self, action: Cancel) -> None:
        client = self._clients[action.branch]
        if "looks-up-for-cancel" in self._core.faults and not self._is_registered(action.branch):
            self._log(f"no CANCEL on branch {action.branch}: nobody is registered there any more")
            return
        cancel = self._core.cancel_of(client.request, [action.reason] if action.reason else self._reasons)
        self._log(f"CANCEL on branch {action.branch}")
        if "acknowledges-no-487" in self._core.faults:
            client.hold_ack()
        if "cancels-late" in self._core.faults:
            later = partial(self._send_cancel, cancel, action.branch)
            self._core.clock.after(LATENESS * self._core.settings.transaction, later)
        else:
            self._send_cancel(cancel, action.branch)

    def _send_cancel(self, cancel: Message, number: int) -> None:
        layer, client = self._core.layer, self._clients[number]
        layer.request(cancel, client.hop, "protocol", partial(self._cancel_answered, number))
        if "repeats-cancel" in self._core.faults:
            for times in (1, 2):
                layer.later(times * 0.4 * self._core.settings.transaction, cancel.data, client.hop, "protocol")

    def _cancel_answered(self, number: int, response: Message) -> None:
        """Whatever is said to a CANCEL, the INVITE has a final response of its own (RFC 3261 9.1)."""
        if response.code == 481 and "gives-up-after-481" in self._core.faults:
            self._clients[number].stop()
            self._perform(self._context.fail(number, 487, self._now()))

    def _is_registered(self, number: int) -> bool:
        groups = self._core.router.groups(self.user, self._now())
        return any(self._context.branches[number].target.uri == t.uri for group in groups for t in group)

    def _finish(self, action: Finish) -> None:
        answer = self._told(action.answer)
        if answer.code == 408 and not self._invite and "answers-408-to-others" not in self._core.faults:
            self._log("no answer, so there is none to pass on")  # RFC 4320 4.2
            self._core.clock.after(self._core.layer.timers.lifetime, self._server.stop)
            return
        self._log(f"best response {answer.code}{'' if answer.message else ', made here'}")
        if answer.message is None:
            self._core.reply(self._server, answer.code)
        else:
            data = forward.response_on(answer.message, list(action.challenges), self._core.faults)
            self._server.respond(answer.code, data, "protocol")
        if "sends-second-final" in self._core.faults:
            self._server.send_past(self._core.own(self._server, 500), "protocol")
        for cancel in self._waiting:
            self._core.reply(cancel, 200)

    def _told(self, answer: Answer) -> Answer:
        """A 503 says that this proxy is overloaded, which it is not (RFC 3261 16.7 step 6)."""
        if answer.code == 503 and ("leaks-503" not in self._core.faults or answer.message is None):
            return Answer(500)
        if answer.code == 600 and "maps-600-to-486" in self._core.faults:
            return Answer(486)
        return answer

    def _note_retry_after(self, target: Target, response: Message) -> None:
        """A carrier that cannot serve now says when to come again (RFC 3261 20.33, 21.5.4)."""
        if not target.carrier or not self._core.router.heeds(response.code, self._core.settings.failover):
            return
        if pause := self._core.router.note(target, response, self._now()):
            self._log(f"{target.carrier} is passed over for {pause} s")

    def _note_overload(self, target: Target, response: Message) -> None:
        """A carrier may say in any response how much less it wants (RFC 7339 5.4), if it was told that we listen."""
        if self._throttles and target.carrier and self._core.router.throttle(target, response, self._now()):
            self._log(f"{target.carrier} says how much less it wants")

    def _redirects(self, response: Message, tried: Sequence[Target], by: str) -> redirects.Redirection:
        """What a 3xx leads to: whoever is known here by that name, or what we can reach."""
        found = redirects.read(response, self._led_to, tried, self._core.faults, by)
        return replace(found, groups=self._asked.arranged(found.groups))

    def _led_to(self, uri: Uri) -> Iterable[Target]:
        core = self._core
        if forward.is_here(str(uri), core.here):
            return [target for group in core.router.groups(uri.user, self._now()) for target in group]
        return [Target(str(uri))] if core.hop_to(str(uri)) is not None else []

    def _now(self) -> float:
        return self._core.clock.now()

    def _log(self, text: str) -> None:
        self._core.log(self._server.request, text)
