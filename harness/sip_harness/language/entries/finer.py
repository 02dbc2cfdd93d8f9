"""Entries for what can be said of expected messages in finer words: content, counts, times, severity, kinds, media."""

from __future__ import annotations

from sip_harness.language.entries.entry import Entries, Entry

_BUSY = "devices: {desk: {answer: [ringing, 486]}}"
_EARLY = "devices: {desk: {answer: [183: {media: tone}, wait 300ms, 486]}}"

FINER: Entries = {
    "should": Entry(
        "A message that should come: without it the verdict is a warning, and a failure only with `--strict`.",
        f"{_BUSY}\nexpect: {{alice: [should 180, 486]}}",
    ),
    "times": Entry(
        "How often a message comes, retransmissions aside: `once`, `2 times`, `1 to 3 times`, `at most 3 times`, "
        "`at least 2 times`. Also `reached 2 times`. Provisional responses that are counted can be too many.",
        f"{_BUSY}\nexpect: {{alice: [180 at most 2 times, 486 once], desk: reached 1 to 3 times}}",
    ),
    "within": Entry(
        "By when a message comes, counted from an event; without one from the first message of the call. A time of the "
        "policy is `policy.` and a timer of the profile (or `prompt`), whose tolerance then counts.",
        f"{_BUSY}\nexpect: {{alice: [180 within 1s, 486 within policy.prompt of desk sends 486]}}",
    ),
    "no later than, no earlier than": Entry(
        "One bound of the time; `after 100ms of EVENT` and `after EVENT` are bounds as well.",
        f"{_BUSY}\nexpect: {{alice: [180 no later than 1s after desk sends 180, 486 after desk sends 486]}}",
    ),
    "at": Entry(
        "At a time: a timer of the policy as early and as late as its tolerance says, else a prompt reaction to it.",
        "devices: {desk: {answer: [ringing]}}\nexpect: {alice: [408 at policy.ring after desk gets INVITE]}",
    ),
    "DURATION to DURATION": Entry(
        "Both bounds of the time. A script keeps its own times to 10ms: so much may be missing from the lower one.",
        "devices: {desk: {answer: [ringing, wait 300ms, 486]}}\n"
        "expect: {alice: [486 250ms to 1s after desk sends 180]}",
    ),
    "policy.": Entry(
        "In place of a code: what the policy of the profile has for that occasion under `codes`. A number is the code "
        "of a device, and stands for itself where the policy has nothing else; a 503 on a proxy for 500 (16.7).",
        "devices: {desk: {answer: [ringing]}}\nexpect: {alice: [policy.ring-timeout or 408]}",
    ),
}

CONTENT: Entries = {
    "headers": Entry(
        "What headers must carry: a text (white space and folding aside; a list for several values), `/a regular "
        "expression/` that is found in some value, `present`, `absent`, or `same as` an agent's message of this kind "
        "or the request that it answers, or `same as earlier 180`: as in a response that the agent itself has got "
        "before. Upper and lower case matter.",
        "devices: {desk: {answer: [480: {headers: {Retry-After: 30, Reason: 'Q.850;cause=34'}}]}}\n"
        "expect: {alice: [480: {headers: "
        "{Retry-After: 30, Reason: /cause=34/, Via: present, Server: absent, Call-ID: same as desk}}]}",
    ),
    "uri": Entry(
        "The Request-URI of a request, as a text or `/a regular expression/`.",
        f"{_BUSY}\nexpect: {{desk: [INVITE: {{uri: /^sip:/}}, ACK to 486]}}",
    ),
    "reason": Entry(
        "The reason phrase, as a text or `/a regular expression/`.",
        "devices: {desk: {answer: [403: {reason: Insufficient funds}]}}\n"
        "expect: {alice: [403: {reason: Insufficient funds}]}",
    ),
    "body": Entry(
        "The body, as a text or `/a regular expression/`, `present` or `absent`.",
        "expect: {desk: [INVITE: {body: /m=audio/}, ACK, BYE]}",
    ),
}

VALUE: Entries = {
    "is": Entry(
        "A text that would be read as something else.",
        "devices: {desk: {answer: [486: {reason: absent}]}}\nexpect: {alice: [486: {reason: {is: absent}}]}",
    ),
    "matches": Entry(
        "A regular expression without slashes.", f"{_BUSY}\nexpect: {{alice: [486: {{reason: {{matches: ^Busy}}}}]}}"
    ),
    "same as": Entry(
        "The agent whose message has the same; or `earlier` and the code of a response that it has got before.",
        f"{_BUSY}\nexpect: {{alice: [486: {{headers: {{To: {{same as: desk}}}}}}]}}",
    ),
}

IN_FULL: Entries = {
    **CONTENT,
    "from": Entry("As `from` in words.", f"{_BUSY}\nexpect: {{alice: [486: {{from: desk}}]}}"),
    "times": Entry("As the count in words.", f"{_BUSY}\nexpect: {{alice: [180: {{times: at most 2 times}}, 486]}}"),
    "when": Entry("As the time in words.", f"{_BUSY}\nexpect: {{alice: [486: {{when: within 1s of desk sends 486}}]}}"),
    "should": Entry(
        "Content that only should be there: without it the verdict is a warning.",
        f"{_BUSY}\nexpect: {{alice: [486: {{reason: Busy Here, should: {{headers: {{Server: present}}}}}}]}}",
    ),
}

SHOULD: Entries = {
    "should": Entry(
        "Messages without which the verdict is a warning. Also in `order`.",
        f"{_BUSY}\nexpect: {{alice: [should: [180, 199], 486]}}",
    ),
}
SHOULD_ORDER: Entries = {
    "should": Entry(
        "An order whose breach is a warning.", f"{_BUSY}\norder: [should: [desk sends 180, alice gets 180]]"
    ),
}


def kinds(text: str, shape: str) -> Entries:
    """Entries for what depends on the kind of system."""
    example = f"{_BUSY}\nexpect: {{alice: {shape}}}"
    return {name: Entry(text.format(name), example) for name in ("proxy", "b2bua", "trunk-client")}


ITEM_KINDS = kinds(
    "Messages from a system of the kind `{}`; a kind that is not named owes none here.",
    "[180, {proxy: [486], b2bua: [480], trunk-client: [480 or 486]}]",
)
_FAILOVER = (
    "carriers: {g1: {answer: [404]}, g2: {answer: [ok]}}\ntargets: {pstn: {hunt: [g1, g2]}}\n"
    "calls: [{from: alice, to: pstn}]\n"
    "expect:\n"
    "  alice: {if: policy.failover has 404, then: [200 from g2], else: [404 from g1]}\n"
    "  g2: {if: policy.failover has 404, then: reached, else: never}"
)
AGENT: Entries = {
    "gets": Entry(
        "The list of messages, `never` or `reached`, where more is to be said of the agent.",
        f"{_EARLY}\nexpect: {{alice: {{gets: [183, 486], hears: tone from desk}}}}",
    ),
    "should": Entry(
        "A list of messages, `never` or `reached` whose breach is a warning.",
        f"{_BUSY}\nexpect: {{alice: {{should: [180, 486]}}}}",
    ),
    "hears": Entry(
        "Media that reaches the agent: `tone`, `silence` or `nothing`, each with `from` an agent; with a count of "
        "packets and the time of the first one. A list for several.",
        f"{_EARLY}\nexpect: {{alice: {{gets: [183, 486], "
        "hears: tone from desk at least 3 packets within 1s of desk sends 183}}",
    ),
    "if": Entry(
        "Asks the policy of the profile whether the next carrier is tried after a code (`policy.failover has 503`): "
        "`then` is what the agent gets if so, `else` what it gets if not.",
        _FAILOVER,
    ),
    "then": Entry("What the agent gets if the condition holds.", _FAILOVER),
    "else": Entry("What the agent gets if the condition does not hold.", _FAILOVER),
    **kinds(
        "What the agent gets from a system of the kind `{}`. A system of a kind that is not named is an error.",
        "{proxy: [486], b2bua: [480], trunk-client: [480 or 486]}",
    ),
}
