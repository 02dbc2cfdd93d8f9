"""Where a scenario would lead an external system, read from its script before anything is sent. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sip_harness.model.guard import GuardRules, nobodys
from sip_harness.model.scenario import URI_PLACEHOLDER, Call, Scenario
from sip_harness.model.steps import Raw, Request, Send, Step
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import COMPACT, Message, parse, split_list
from sip_harness.sip.uri import parse_uri, uri_text

_LEADING = ("route", "refer-to", "record-route", "path")


def refusal(scenario: Scenario, rules: GuardRules, dialled: Mapping[str, str]) -> str:
    """Who would be led where nobody may go, and why he may not; empty if nobody would.

    Looked at are the Request-URIs of calls (`dialled` has those of targets), Route, Record-Route, Path and Refer-To of
    what agents send, Contact of the redirections that they answer with, and all of a request that is given as bytes.
    What cannot be read cannot be looked at: it is refused.
    """
    for call in scenario.calls:
        if why := _unreadable(call):
            return f"{call.place}: {call.caller} would send {why}: nobody can tell where it leads"
        if why := rules.uri_refusal(request_uri(call, dialled[call.target])):
            return f"to call {call.target}: {why}"
    for agent, uri in (*_of_devices(scenario), *(found for call in scenario.calls for found in _of_call(call))):
        if why := rules.uri_refusal(uri, nobodys(uri)):
            return f"that {agent} leads it to {uri}: {why}"
    return ""


def request_uri(call: Call, dialled: str) -> str:
    """The Request-URI of a call; `dialled` is what its target has in this run."""
    return filled(call.uri, dialled) if call.uri else dialled


def filled(text: str, dialled: str) -> str:
    """A text of a call with what its target has in this run in the places that stand for that."""
    uri = parse_uri(dialled)
    port = "" if uri.port is None else f":{uri.port}"
    values = {"uri": dialled, "user": uri.user, "host": uri.host, "hostport": f"{uri.host}{port}"}
    return URI_PLACEHOLDER.sub(lambda match: values[match[1]], text)


def _of_devices(scenario: Scenario) -> Iterator[tuple[str, str]]:
    for device in scenario.devices:
        reactions = (steps for reaction in device.script.reactions for steps in reaction.attempts)
        for steps in (*device.script.attempts, *reactions):
            yield from ((device.name, uri) for uri in _of_steps(steps))


def _of_call(call: Call) -> Iterator[tuple[str, str]]:
    reactions = call.script.reactions if call.script is not None else ()
    for steps in (
        call.meanwhile,
        call.early,
        call.then,
        *(steps for reaction in reactions for steps in reaction.attempts),
    ):
        yield from ((call.caller, uri) for uri in _of_steps(steps))
    given = [*_uris(call.headers, _LEADING), *(_of_bytes(call.raw) if call.raw is not None else ())]
    yield from ((call.caller, uri) for uri in given)


def _unreadable(call: Call) -> str:
    """What a call sends that is no whole message; empty if there is nothing."""
    steps = [step.how for step in (*call.meanwhile, *call.early, *call.then) if isinstance(step, Request)]
    if any(damage.kind == "truncate" for how in (call.how, *steps) for damage in how.mutations):
        return "a request that is cut off"
    for raw in (call.raw, *(s for s in (*call.meanwhile, *call.early, *call.then) if isinstance(s, Raw))):
        if raw is not None and _read(raw.data) is None:
            return f"{raw}, which are no SIP message"
    return ""


def _of_bytes(raw: Raw) -> Iterator[str]:
    """Where exact bytes lead; what has a placeholder in it is that of the target, which is looked at elsewhere."""
    message = _read(raw.data)
    if message is None or not message.is_request:
        return
    values = [value for name in _LEADING for value in message.all(name)]
    found = [message.uri, *(uri_text(one) for value in values for one in split_list(value))]
    yield from (uri for uri in found if not URI_PLACEHOLDER.search(uri))


def _read(data: bytes) -> Message | None:
    try:
        return parse(data)
    except SipError:
        return None


def _of_steps(steps: tuple[Step, ...]) -> Iterator[str]:
    for step in steps:
        if isinstance(step, Raw):
            yield from _of_bytes(step)
        elif isinstance(step, Request):
            yield from _uris(step.headers, _LEADING)
        elif isinstance(step, Send) and 300 <= step.code < 400:
            yield from _uris(step.headers, ("contact",))


def _uris(headers: tuple[tuple[str, str], ...], wanted: tuple[str, ...]) -> Iterator[str]:
    for name, value in headers:
        if COMPACT.get(name.lower(), name.lower()) in wanted:
            yield from (uri_text(one) for one in split_list(value))
