"""Entries for the keys of a scenario and of a target."""

from __future__ import annotations

from sip_harness.language.entries.entry import Entries, Entry

SCENARIO: Entries = {
    "title": Entry(
        "What the scenario shows, in one sentence; reports put it behind the id.",
        "title: A phone that is busy everywhere stops the other phones",
    ),
    "id": Entry(
        "A name that no other scenario has: letters, digits, dashes and dots. Records and captures are named after it, "
        "known deviations of a system refer to it.",
        "id: FK-01",
    ),
    "cite": Entry(
        "The rules that the scenario tests, as text or a list of texts; a failure shows them.",
        "cite: [RFC 3261 16.7 step 5, RFC 3261 21.6.1]",
    ),
    "needs": Entry(
        "Capabilities that the system must have; without one of them the scenario is skipped. `sip-harness systems` "
        "lists them.",
        "needs: [ring, digest]",
    ),
    "tags": Entry("Words to select by, with `-k` or as marks of pytest.", "tags: [busy, smoke]"),
    "covers": Entry(
        "Ids of further behaviours, of a catalogue that you keep, which the scenario shows besides the one that it is "
        "named after. `-k` finds it by them, and reports list them.",
        "covers: [SH-07, QM-11]",
    ),
    "for": Entry(
        "Makes many cases of one file. Each variable has a value or a list of alternatives, every combination is a "
        "case, and `{code}` stands for the value, by itself or in a longer text; where YAML would take the braces for "
        "a mapping, quote the text. A value that is a list or a mapping fills the place of a whole placeholder (write "
        "`[[...]]` for one list). `4xx` is every code of that class in the table, `known` and `unknown` are the codes "
        "inside and outside of the registries. Rows (`for: [{...}, {...}]`) hold values that belong together; a value "
        "may use the variables before it. A case is named by the id and its one-word values (`CODES-01-486-503`), or "
        "by the placeholders in the id. `{{` and `}}` are braces. At most 2,000 cases.",
        """\
title: A phone that answers {code} after another has answered {first}
id: CODES-01
for: {first: [486, 503], code: [4xx, 600, 699]}
targets: {bob: {ring: [desk, mobile]}}
devices:
  desk:   {answer: [{first}]}
  mobile: {answer: [ringing, "after desk sends {first}", wait 100ms, {code}]}
expect:
  alice:  {by code: {6xx: ["{code} from mobile"], other: ["{first} or {code}"]}}
  desk:   [INVITE, "ACK to {first}"]
  mobile: [INVITE, "ACK to {code}"]""",
    ),
    "include": Entry(
        "Takes in pieces: files named `*.piece.yaml`, in the directory of the scenario or below, that hold any part of "
        "a scenario but its title and id. Mappings (devices, targets, expect) are merged name by name; what the file "
        "itself says wins, then the pieces in their order.",
        "include: phones.piece.yaml\ndevices: {desk: {answer: [ringing, 486]}}",
        {
            "phones.piece.yaml": "targets: {bob: {ring: [desk, mobile]}}\n"
            "devices: {desk: {answer: [ok]}, mobile: {answer: [ringing]}}\n"
        },
    ),
    "targets": Entry(
        "What callers can dial, by name: each is a shape and the devices in it. The system's profile binds the name to "
        "a number, a ring group or a carrier list.",
        "targets: {bob: {ring: [desk, mobile]}}\ndevices: {desk: {answer: [486]}, mobile: {answer: [ok]}}",
    ),
    "devices": Entry(
        "The phones, by name: each registers with the system and answers as its script says.",
        "devices: {desk: {answer: [ringing, busy-here]}}",
    ),
    "carriers": Entry(
        "Gateways and trunks, by name: they do not register, the system is configured to send calls to them.",
        "carriers: {g1: {answer: [503]}, g2: {answer: [ok]}}\n"
        "targets: {pstn: {hunt: [g1, g2]}}\n"
        "calls: [{from: alice, to: pstn}]\n"
        "expect: {alice: [200 from g2]}",
    ),
    "calls": Entry(
        "The calls, made one after the other unless they say `at`. A caller is any name that is no device.",
        "calls:\n  - {from: alice, to: bob}\n  - {from: carol, to: bob, cancel: after desk sends 180}",
    ),
    "watch": Entry(
        "Watches the system while it acts by itself (registers at carriers, probes them): for a time, or until an "
        "event that is due within 10s. It needs no calls and may go beside them; events then count once for the whole "
        "run.",
        "carriers: {g1: {on: {REGISTER: [[503], [200]]}}}\nwatch: until g1 gets 2 REGISTER\n"
        "expect: {g1: [REGISTER, REGISTER]}",
    ),
    "expect": Entry(
        "What each agent must get, in this order: final responses for a caller, requests for a device. The list is "
        "closed for finals and requests, open for provisionals that it does not name; retransmissions do not count. "
        "`never` is for an agent that must get no call, `reached` for one that must get any.",
        "expect:\n  alice: [486 from desk]\n  desk: [INVITE, ACK to 486]\ndevices: {desk: {answer: [486]}}",
    ),
    "order": Entry(
        "Events of different agents that must happen in this order; a list of lists holds several orders.",
        "order: [desk sends 180, alice gets 180]",
    ),
    "proof": Entry(
        "Faults that the scenario must catch: with each of them switched on in the system it has to fail. "
        "`sip-harness systems NAME` lists those of a system.",
        "proof: [one-486-ends-the-fork]",
    ),
    "impact": Entry(
        "What it does to a system that others use too: `disruptive` scenarios (blacklists, dead gateways, floods) "
        "run there only with `--disruptive`, and nowhere beside others. Without it a scenario is `harmless`.",
        "impact: disruptive",
    ),
}

TARGET: Entries = {
    "ring": Entry(
        "Devices that ring all at once (parallel forking).",
        "targets: {bob: {ring: [desk, mobile]}}\ndevices: {desk: {answer: [486]}, mobile: {answer: [ok]}}",
    ),
    "hunt": Entry(
        "Devices or carriers that are tried in turn (serial forking); devices in a list of their own ring at once.",
        "targets: {bob: {hunt: [[desk, mobile], tablet]}}\n"
        "devices: {desk: {answer: [486]}, mobile: {answer: [486]}, tablet: {answer: [ok]}}",
    ),
}

_WATCH = (
    "carriers: {g1: {registrar: challenge}}\nwatch: {until: g1 gets 2 REGISTER, at most: 20s}\n"
    "expect: {g1: [REGISTER, REGISTER]}"
)
WATCH: Entries = {
    "until": Entry("The event that ends it. It is due: without it the scenario fails.", _WATCH),
    "at most": Entry("How long the event is waited for; without it, 10s.", _WATCH),
    "give accounts up": Entry(
        "`yes`: after that the system is told to give its accounts at the carriers up, and has to take its contacts "
        "back. It needs `gives-accounts-up`.",
        "needs: [registers-at-carrier, gives-accounts-up]\ncarriers: {g1: {registrar: yes}}\n"
        "watch: {until: g1 sends 200 to REGISTER, give accounts up: yes}\n"
        'expect: {g1: [REGISTER, REGISTER: {headers: {Expires: "0"}}]}',
    ),
}
