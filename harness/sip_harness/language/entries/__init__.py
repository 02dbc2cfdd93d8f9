"""The reference of the language: an entry for every key of every mapping, and for every word.

`PARTS` has the entries of each `Part` of the document under the name of its class, `WORDS` those of what is written in
words. A key without an entry, an entry without a key and an example that does not load are errors (tests); after a
change the page is written anew with `python -m sip_harness.language.reference >scenarios/LANGUAGE.md`.
"""

from __future__ import annotations

from collections.abc import Mapping

from sip_harness.language.entries import agents, expectations, finer, responses, scenario, steps
from sip_harness.language.entries.entry import Entries, Entry

__all__ = ["PARTS", "WORDS", "Entries", "Entry"]

PARTS: Mapping[str, Entries] = {
    "ScenarioDoc": scenario.SCENARIO,
    "WatchDoc": scenario.WATCH,
    "TargetDoc": scenario.TARGET,
    "DeviceDoc": agents.DEVICE,
    "CaseDoc": agents.CASE,
    "WhenDoc": agents.WHEN,
    "AlwaysDoc": agents.ALWAYS,
    "RegistrarDoc": agents.REGISTRAR,
    "CallDoc": agents.CALL,
    "AccountDoc": agents.ACCOUNT,
    "WaitDoc": steps.WAIT,
    "AfterDoc": steps.AFTER,
    "BytesDoc": steps.BYTES,
    "SendDoc": steps.SEND,
    "AgainDoc": steps.AGAIN,
    "RepeatDoc": steps.REPEAT,
    "ChallengeStep": steps.CHALLENGE,
    "ChallengeDoc": agents.CHALLENGE,
    "ResponseDoc": responses.RESPONSE,
    "RequestDoc": responses.REQUEST,
    "MoreDoc": {**finer.IN_FULL, **expectations.MORE},
    "ContentDoc": finer.CONTENT,
    "ValueDoc": finer.VALUE,
    "GroupDoc": expectations.GROUP,
    "ShouldDoc": finer.SHOULD,
    "ItemKindsDoc": finer.ITEM_KINDS,
    "AgentDoc": finer.AGENT,
    "ShouldOrderDoc": finer.SHOULD_ORDER,
}
"""By class of the part of a document, in the order of the page."""

WORDS: Mapping[str, Entries] = {
    "Steps in words": steps.STEPS,
    "Messages in words": {**expectations.EXPECTED, **finer.FINER},
}
"""By title."""
