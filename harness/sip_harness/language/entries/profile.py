"""Entries for the keys of a profile (`*.system.yaml`), for the schema that editors use.

Examples stand in a profile that has a name, a kind and an address beside them, and must load.
"""

from __future__ import annotations

from collections.abc import Mapping

from sip_harness.language.entries.entry import Entries, Entry

PROFILE: Entries = {
    "name": Entry("What the system is called in reports and ladders.", "name: staging"),
    "kind": Entry(
        "What it is to scenarios: a proxy, a b2bua (most PBXs: every leg is a call of its own) or a trunk-client.",
        "kind: b2bua",
    ),
    "address": Entry(
        "Where it listens, host and port; a host name is looked up once, at the start. Without a port: 5060, with TLS "
        "5061.",
        "address: 192.0.2.10:5060",
    ),
    "transport": Entry("What agents speak whose scenario leaves it open.", "transport: tls"),
    "other transports": Entry(
        "Where it listens by transports that scenarios name. With tcp or tls among the capabilities that is the same "
        "host, by TCP at the same port and by TLS at 5061, unless it stands here.",
        "other transports: {tcp: '192.0.2.10:5060', tls: '192.0.2.10:5061'}",
    ),
    "trust": Entry(
        "With TLS: a PEM file beside this one with the certificate authorities to believe, instead of the machine's.",
        "transport: tls\ntrust: staging-ca.pem",
        {"staging-ca.pem": "-----BEGIN CERTIFICATE-----\n"},
    ),
    "domain": Entry("Host part of the addresses of record; without it the address.", "domain: staging.example.com"),
    "bind": Entry(
        "Local IP address of the agents; without it the one that the machine uses towards the system.",
        "bind: 192.168.1.20",
    ),
    "advertise": Entry(
        "Host that agents state in Via, Contact and SDP, where a NAT has forwarded ports. Without it they state where "
        "the system sees them.",
        "advertise: 203.0.113.7",
    ),
    "outbound proxy": Entry("Everything is sent there instead of to the address.", "outbound proxy: 192.0.2.11:5060"),
    "roles": Entry(
        "Accounts, by the name of the agent or target of a scenario that uses them. A run has its accounts alone: with "
        "a list of them as many runs go side by side.",
        'roles: {alice: {user: "101", password: $PASSWORD_101}, bob: [{user: "103"}, {user: "104"}]}',
    ),
    "shapes": Entry(
        "Numbers that reach several: ring groups and hunt groups, and the accounts or carriers behind them.",
        'shapes: {ring: [{dial: "600", members: [{user: "111"}, {user: "112"}]}]}',
    ),
    "carriers": Entry(
        "Which local address the system sends to, by carrier, and by which transport if not by the usual one; behind a "
        "NAT that needs a forwarded port and advertise.",
        "carriers: {first: 192.168.1.20:5071, second: 'tcp:192.168.1.20:5072'}",
    ),
    "capabilities": Entry(
        "What it can do beyond registrations and the shapes named here, in the words of `needs`. A proxy that forks by "
        "contacts has ring, hunt or mixed: then all phones of a target register for the account of its name in roles.",
        "capabilities: [digest, ring]",
    ),
    "lacks": Entry(
        "What a b2bua does not do of what proxies do and scenarios ask of both: 6xx-for-all (its groups are of several "
        "users, and a 6xx speaks for one), best-response (whoever was tried last counts), passes-headers (it answers "
        "in its own words), passes-requests (it answers within a call for itself). Scenarios that are about that are "
        "skipped.",
        "kind: b2bua\nlacks: [6xx-for-all]",
    ),
    "policy": Entry(
        "What it may take its time for, what it answers by itself, and where it is known to go its own way.",
        "policy: {prompt: 500ms, settle: 500ms, timers: {ring: 20s}}",
    ),
    "guard": Entry("Limits on what a run does to it.", "guard: {max calls: 100, calls per second: 2}"),
    "impact": Entry(
        "The worst that scenarios may do to it: disruptive ones with --disruptive only, or never (harmless).",
        "impact: harmless",
    ),
}
ACCOUNT: Entries = {
    "user": Entry("User part of the address of record.", 'roles: {alice: {user: "101"}}'),
    "password": Entry(
        "The environment variable that has the password; it never stands in a file.",
        'roles: {alice: {user: "101", password: $PASSWORD_101}}',
    ),
    "auth user": Entry(
        "Name to authenticate with, if that is not the user.",
        'roles: {alice: {user: "101", password: $PASSWORD_101, auth user: 101-login}}',
    ),
}
_GROUP = 'shapes: {ring: [{dial: "600", members: [{user: "111"}, {user: "112"}]}]}'
_ROUTE = 'shapes: {hunt: [{dial: "+493012345", carriers: [first]}]}\ncarriers: {first: 192.168.1.20:5071}'
GROUP: Entries = {
    "dial": Entry("The number that a caller dials.", _GROUP),
    "members": Entry(
        "The accounts behind it, in the order in which a hunt group tries them. A scenario gets a group with exactly "
        "as many members as its target has.",
        _GROUP,
    ),
    "carriers": Entry("Names of carriers instead of members, in the order in which they are tried.", _ROUTE),
}
SHAPES: Entries = {
    "ring": Entry("Numbers that ring all their members at once.", _GROUP),
    "hunt": Entry("Numbers that try their members, or carriers, in turn.", _ROUTE),
}
_TIMER = "policy: {timers: {transaction: {after: 32s, early: 500ms, late: 1s}}}"
TIMER: Entries = {
    "after": Entry("When it fires.", _TIMER),
    "early": Entry("How much earlier it may fire; 100 ms unless stated.", _TIMER),
    "late": Entry("How much later it may fire; 300 ms unless stated.", _TIMER),
}
_DEVIATION = """\
policy:
  deviations:
    - scenario: FK-01
      expectation: "alice: 600 from desk"
      observed: "486 Busy Here made by the system itself"
      reason: hangup cause 17 stands for both"""
DEVIATION: Entries = {
    "scenario": Entry("Id of the scenario.", _DEVIATION),
    "expectation": Entry("The expectation that it breaks, as the failure words it behind `expected`.", _DEVIATION),
    "observed": Entry("What comes instead; nothing else is excused, and if it does not come that fails.", _DEVIATION),
    "reason": Entry("Why it does so, for reports.", _DEVIATION),
}
_TRUNK = "carriers: {first: {address: '192.168.1.20:5071', user: company, password: $PASSWORD_TRUNK}}"
CARRIER: Entries = {
    "address": Entry("Which local address the system sends to.", _TRUNK),
    "user": Entry("The name that the system has there.", _TRUNK),
    "password": Entry("The environment variable that has the password of its account there.", _TRUNK),
    "auth user": Entry(
        "The name that it authenticates with there, if that is not the user.",
        "carriers: {first: {address: '192.168.1.20:5071', user: co, password: $PASSWORD_TRUNK, auth user: c-1}}",
    ),
}
POLICY: Entries = {
    "prompt": Entry(
        "A reaction is due within this time of its cause; at most half of the shortest timer.",
        "policy: {prompt: 500ms}",
    ),
    "settle": Entry("How long a run is watched after its end.", "policy: {settle: 500ms}"),
    "timers": Entry(
        "Its timers by name: transaction (nobody answers at all), ring (nobody takes the call).",
        "policy: {timers: {ring: 20s, transaction: 32s}}",
    ),
    "codes": Entry(
        "What it answers by itself where the rules leave it a choice, by occasion (ring-timeout, ...), and what a "
        "caller hears of a b2bua for a code of a phone, or of a class of them.",
        "policy: {codes: {ring-timeout: 480, 600: 486, 4xx: 500}}",
    ),
    "failover": Entry(
        "Responses of a carrier after which it tries the next one; 408 stands for no answer, and for 100 and nothing "
        "more, too.",
        "policy: {failover: [408, 500, 502, 503, 504]}",
    ),
    "deviations": Entry("Known ways of breaking a rule: one expectation, one observed value, one reason.", _DEVIATION),
}
GUARD: Entries = {
    "hosts": Entry("Hosts that may be contacted besides the system: media servers.", "guard: {hosts: [192.0.2.12]}"),
    "max calls": Entry("Calls of one run of the harness.", "guard: {max calls: 100}"),
    "calls per second": Entry(
        "Of all runs on this machine together; 5 unless stated.", "guard: {calls per second: 0.5}"
    ),
    "numbers": Entry(
        "Allowed although emergency or premium; * at the end stands for any digits.", 'guard: {numbers: ["0900123*"]}'
    ),
    "premium": Entry("Prefixes that are refused, instead of the usual ones.", 'guard: {premium: ["0900", "+49900"]}'),
    "emergency": Entry("Numbers that are refused, instead of the usual ones.", 'guard: {emergency: ["112", "911"]}'),
}
BUILT_IN: Entries = {
    "name": Entry("What it is called here.", "name: slow\nbuiltin: kamailio"),
    "builtin": Entry("The built-in system; `sip-harness systems` lists them.", "name: slow\nbuiltin: kamailio"),
    "settings": Entry("Its settings by name.", "name: slow\nbuiltin: kamailio\nsettings: {transaction: 2s}"),
}

PROFILES: Mapping[str, Entries] = {
    "ProfileDoc": PROFILE,
    "AccountDoc": ACCOUNT,
    "GroupDoc": GROUP,
    "ShapesDoc": SHAPES,
    "TimerDoc": TIMER,
    "DeviationDoc": DEVIATION,
    "CarrierDoc": CARRIER,
    "PolicyDoc": POLICY,
    "GuardDoc": GUARD,
    "BuiltInDoc": BUILT_IN,
}
"""By class of the part of a profile."""
