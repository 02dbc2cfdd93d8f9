"""The page that explains the language: `python -m sip_harness.language.reference >scenarios/LANGUAGE.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from sip_harness.language.entries import PARTS, WORDS, Entries, Entry

_TITLES = {
    "ScenarioDoc": "A scenario",
    "TargetDoc": "A target",
    "WatchDoc": "A watch in full: `watch: {...}`",
    "DeviceDoc": "A device or a carrier",
    "CaseDoc": "An answer by what a request says",
    "WhenDoc": "Which requests: `when: {...}`",
    "AlwaysDoc": "The answer to all others",
    "RegistrarDoc": "A registrar in full: `registrar: {...}`",
    "AccountDoc": "An account: `as: {...}`",
    "CallDoc": "A call",
    "WaitDoc": "The step `{wait: ...}`",
    "AfterDoc": "The step `{after: ...}`",
    "BytesDoc": "The step `{bytes: ...}`",
    "SendDoc": "The step `{send: ...}`",
    "AgainDoc": "The step `{again: ...}`",
    "RepeatDoc": "How a request is repeated",
    "ChallengeStep": "The step `{challenge: ...}`",
    "ChallengeDoc": "What a challenge asks for",
    "ResponseDoc": "A response in full: `{486: {...}}`",
    "RequestDoc": "A request in full: `{send: {INFO: {...}}}`",
    "MoreDoc": "An expected message in full: `{INVITE: {...}}`",
    "ContentDoc": "What a message should carry: `{should: {...}}`",
    "ValueDoc": "A value in full: `{is: ...}`",
    "GroupDoc": "Messages in any order",
    "ShouldDoc": "Messages that should come: `{should: [...]}`",
    "ItemKindsDoc": "Messages by the kind of system",
    "AgentDoc": "What an agent gets, in full",
    "ShouldOrderDoc": "An order that should be kept",
}
_BEFORE_STEPS = "WaitDoc"
_BEFORE_MESSAGES = "MoreDoc"
_HEAD = """\
# The scenario language

Every construct with an example. The examples are parts of scenarios: what they leave out (title, id, a phone `desk`
that answers, a call of `alice` to `bob` who has that phone, an expectation) does not matter there. This page is made
from the models of the language; an editor shows the same texts with the schema that `sip-harness schema` prints.
"""
_BASE = {
    "title": "title: t",
    "id": "id: EX-1",
    "targets": "targets: {bob: {ring: [desk]}}",
    "devices": "devices: {desk: {answer: [ringing, ok]}}",
    "calls": "calls: [{from: alice, to: bob}]",
    "expect": "expect: {desk: reached}",
}


def page() -> str:
    """The whole page, in Markdown."""
    return "\n".join([_HEAD, *_contents(), *_sections()])


def whole(entry: Entry) -> str:
    """The example of an entry as a whole scenario."""
    keys = {line.partition(":")[0] for line in entry.example.splitlines() if line[:1].isalpha()}
    keys |= {line.partition(":")[0] for text in entry.files.values() for line in text.splitlines()}
    without = {"devices"} if "carriers" in keys else set()
    without |= {"calls", "targets"} if "watch" in keys else set()
    without |= {"expect"} if "order" in keys else set()
    added = [line for key, line in _BASE.items() if key not in keys | without]
    return "\n".join([*added, entry.example, ""])


def sections() -> Iterator[tuple[str, Entries]]:
    """Title and entries of each section, in order."""
    steps, messages = WORDS.items()
    for name, entries in PARTS.items():
        if name == _BEFORE_STEPS:
            yield steps
        if name == _BEFORE_MESSAGES:
            yield messages
        yield _TITLES.get(name, name), entries


def _contents() -> Iterator[str]:
    for title, entries in sections():
        yield f"- {title}: " + ", ".join(f"`{name}`" for name in entries)
    yield ""


def _sections() -> Iterator[str]:
    for title, entries in sections():
        yield f"## {title}\n"
        for name, entry in entries.items():
            yield f"### {name}\n\n{entry.text}\n"
            for file, text in entry.files.items():
                yield f"`{file}`:\n\n```\n{text.rstrip()}\n```\n"
            yield f"```yaml\n{entry.example}\n```\n"


if __name__ == "__main__":
    sys.stdout.write(page())
