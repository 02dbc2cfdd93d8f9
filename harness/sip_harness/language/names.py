"""What a scenario declares, and whether what it speaks of is declared."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from sip_harness.language.diagnostics import Diagnostic, guess, quoted
from sip_harness.language.source import Map, Node, Seq, Text, Word

SYSTEM = "system"
MAX_NAME = 32
NAME = rf"[A-Za-z0-9][A-Za-z0-9-]{{0,{MAX_NAME - 1}}}"


@dataclass
class Names:
    """The names of one scenario, gathered before its parts are read, and the mistakes found while reading it.

    None stands for a part that is missing or of the wrong shape: what refers to it cannot be judged.
    """

    devices: tuple[str, ...] | None = None
    """Devices and carriers."""
    carriers: tuple[str, ...] = ()
    callers: tuple[str, ...] | None = None
    targets: tuple[str, ...] | None = None
    mistakes: list[Diagnostic] = field(default_factory=list)
    directory: Path = Path()
    """Where the files that the scenario names are looked for."""

    def gather(self, root: Map) -> None:
        """Learn what is declared, however wrong the rest may be."""
        parts = [_keys(root[part]) for part in ("devices", "carriers") if part in root]
        known = [part for part in parts if part is not None]
        self.devices = tuple(name for part in known for name in part) if known and known == parts else None
        taken = _keys(root.get("devices")) or ()
        self.carriers = tuple(name for name in _keys(root.get("carriers")) or () if name not in taken)
        self.targets = _keys(root.get("targets"))
        self.callers = _callers(root.get("calls")) if "calls" in root or "watch" not in root else ()
        if "targets" not in root and self.callers == ():
            self.targets = ()

    def agent(self, word: Word) -> str:
        """A device or a caller of this scenario."""
        if self.devices is None or self.callers is None:
            return str(word)
        known = tuple(dict.fromkeys((*self.callers, *self.devices)))
        if str(word) in (self.targets or ()) and str(word) not in known:
            raise word.mistake(f"{quoted(str(word))} is a target, not an agent", guess("", known))
        return _known(word, known, "agent")

    def device(self, word: Word) -> str:
        """A device of this scenario."""
        if self.devices is None:
            return str(word)
        if str(word) in (self.callers or ()) and str(word) not in self.devices:
            raise word.mistake(f"{quoted(str(word))} is a caller, not a device", guess("", self.devices))
        return _known(word, self.devices, "device")

    def caller(self, word: Word) -> str:
        """A caller of this scenario."""
        return str(word) if self.callers is None else _known(word, self.callers, "caller")

    def ringing(self, word: Word) -> str:
        """A device that rings together with others: it has registered."""
        if str(word) in self.carriers:
            hint = f"reach carriers in turn, as {quoted(f'pstn: {{hunt: [{word}]}}')}"
            raise word.mistake(f"{quoted(str(word))} is a carrier: it never registers, so it cannot be rung", hint)
        return self.device(word)

    def source(self, word: Word) -> str:
        """Who a response comes from: a device, or the system itself."""
        if str(word) == SYSTEM or self.devices is None:
            return str(word)
        return _known(word, (*self.devices, SYSTEM), "device")

    def target(self, word: Word) -> str:
        """A target of this scenario."""
        if self.targets is None:
            return str(word)
        if str(word) in (self.devices or ()) and str(word) not in self.targets:
            hint = f"declare a target that rings it, as {quoted(f'bob: {{ring: [{word}]}}')}"
            raise word.mistake(f"{quoted(str(word))} is a device; calls go to targets", hint)
        if re.match(r"sips?:|tel:|\+?[0-9]+$", str(word)) and str(word) not in self.targets:
            hint = f"its number stands in the profile; here write a name of 'targets': {', '.join(self.targets)}"
            raise word.mistake(f"{quoted(str(word))} is no target", hint)
        return _known(word, self.targets, "target")


def new_name(text: Text) -> Text:
    """A name for an agent, a target or a call; it becomes the user part of a SIP URI."""
    if text == SYSTEM:
        raise text.all.mistake("'system' always means the system under test", "choose another name")
    if not text:
        raise text.all.mistake("a name is missing")
    if len(text) > MAX_NAME:
        raise text.all.mistake(f"a name has at most {MAX_NAME} characters")
    if not re.fullmatch(NAME, text):
        better = re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")
        hint = f"as in {quoted(better)}" if better else ""
        raise text.all.mistake(f"{quoted(text)} is no name: letters, digits and dashes only", hint)
    return text


_PARTS = ("uri", "user", "host", "hostport")
_LED_TO = re.compile(r"\{([a-z]+) of ([^{}]*)\}")


def led_to(text: Text, names: Names) -> Text:
    """A header value, in which `{uri of NAME}` may stand for where a role is reached. Raises Mistake."""
    for found in _LED_TO.finditer(text):
        if found[1] not in _PARTS:
            hint = "write {uri of NAME}, or user, host or hostport instead of uri"
            raise text.spot(*found.span()).mistake(f"unknown placeholder {quoted(found[0])}", hint)
        if names.targets is not None and names.devices is not None:
            _known(Word(text, *found.span(2)), (*names.targets, *names.devices), "target or device")
    return text


def _known(word: Word, known: Iterable[str], kind: str) -> str:
    candidates = list(known)
    if str(word) in candidates:
        return str(word)
    raise word.mistake(f"unknown {kind} {quoted(str(word))}", guess(str(word), candidates))


def _keys(node: Node) -> tuple[str, ...] | None:
    return tuple(str(key) for key in node) if isinstance(node, Map) else None


def _callers(node: Node) -> tuple[str, ...] | None:
    if not isinstance(node, Seq):
        return None
    found = [call.get("from") if isinstance(call, Map) else None for call in node]
    names = [str(name) for name in found if isinstance(name, Text)]
    return tuple(dict.fromkeys(names)) if names and len(names) == len(found) else None
