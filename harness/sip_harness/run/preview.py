"""What scenarios would send to an external system, without sending it."""

from __future__ import annotations

from collections.abc import Sequence

from sip_harness.model.guard import GuardRules
from sip_harness.model.profile import Profile
from sip_harness.model.scenario import Scenario
from sip_harness.net.base import host_port
from sip_harness.systems.base import CannotBind
from sip_harness.systems.description import rules
from sip_harness.systems.external import External
from sip_harness.systems.intent import refusal, request_uri
from sip_harness.systems.leading import led
from sip_harness.systems.placing import place


def preview(scenarios: Sequence[Scenario], system: External) -> str:
    """Accounts, dialled URIs and counts; what could not be bound or would be refused is said. Nothing is sent."""
    profile = system.profile
    through = f" through {host_port(profile.outbound_proxy)}" if profile.outbound_proxy else ""
    lines = [f"to {profile.name} at {host_port(profile.address)} by {profile.transport}{through}:"]
    calls = 0
    users: set[str] = set()
    for scenario in scenarios:
        try:
            system.allow(scenario)
            placing = place(scenario, profile, {})
        except CannotBind as error:
            lines.append(f"  {scenario.id}: skipped, {error}")
            continue
        binding = placing.binding(scenario, profile.domain)
        for name in sorted(binding.registers):
            lines.append(f"  {scenario.id}: {name} registers as {binding.users[name].aor}")
        for call in scenario.calls:
            who, uri = binding.users[call.caller].aor, request_uri(call, binding.uris[call.target])
            lines.append(f"  {scenario.id}: {call.raw or call.method} {uri} from {who}{_refused(profile, uri)}")
        if not any("(refused: " in line for line in lines[-len(scenario.calls) :]):
            why = refusal(led(scenario, binding), limits(profile), binding.uris)
            lines += [f"  {scenario.id}: blocked, the guard refuses {why}"] if why else []
        calls += len(scenario.calls)
        users.update(placing.users(scenario))
    over = f", more than guard.max calls allows ({profile.guard.max_calls})" if calls > profile.guard.max_calls else ""
    accounts = ", ".join(sorted(users)) or "none"
    lines.append(
        f"  in all: {calls} calls{over}, at most {profile.guard.calls_per_second:g} per second; accounts {accounts}"
    )
    return "\n".join(lines)


def limits(profile: Profile) -> GuardRules:
    """What would leave, as far as it is known before a name is looked up."""
    return rules(profile, [profile.address[0]])


def _refused(profile: Profile, uri: str) -> str:
    why = limits(profile).uri_refusal(uri)
    return f" (refused: {why})" if why else ""
