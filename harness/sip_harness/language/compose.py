"""YAML 1.2 to a tree with places, within narrow limits: one document, no anchors, aliases or tags, bounded size."""

from __future__ import annotations

from yaml import ScalarNode, YAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from yamlcore import CoreLoader  # type: ignore[import-untyped]

from sip_harness.language.diagnostics import Diagnostic, Mistake, quoted
from sip_harness.language.scalars import indices
from sip_harness.language.source import File, Map, Node, Seq, Spot, Text
from sip_harness.language.syntax import explain

MAX_NODES = 5_000
MAX_DEPTH = 16


def compose(file: File, kind: str = "scenario", begins: str = "title: ...") -> tuple[Map, list[Diagnostic]]:
    """The document of a file, and what is wrong with it although it can be read (keys that occur twice).

    Raises Mistake at the first thing that is no YAML or not allowed here; what follows it cannot be trusted.
    """
    try:
        composer = _Composer(file, kind, begins)
        return composer.document(), composer.mistakes
    except YAMLError as error:
        raise explain(error, file) from None
    except (ValueError, OverflowError) as error:
        if isinstance(error, Mistake):
            raise
        # PyYAML hands an escape like "\UFFFFFFFF" to chr() as it is.
        raise Spot(file).mistake("an escape in this file names a character that does not exist") from None


class _Composer:
    def __init__(self, file: File, kind: str, begins: str) -> None:
        self._file = file
        self._kind = kind
        self._begins = begins
        self._loader = CoreLoader(file.text)
        self._nodes = 0
        self.mistakes: list[Diagnostic] = []

    def document(self) -> Map:
        self._next()  # the start of the stream
        if self._check(StreamEndEvent):
            raise Spot(self._file).mistake("the file is empty", f"a {self._kind} begins with '{self._begins}'")
        start = self._next()
        if isinstance(start, DocumentStartEvent) and start.tags:
            raise self._spot(start).mistake(f"%TAG directives are not allowed in {self._kind}s")
        root = self._node(0)
        self._next()  # the end of the document
        if not self._check(StreamEndEvent):
            raise self._spot(self._peek()).mistake("a second document begins here", f"a file holds one {self._kind}")
        if not isinstance(root, Map):
            spot = root.spot() if isinstance(root, Text) else root.spot if root is not None else Spot(self._file)
            raise spot.mistake(f"a {self._kind} is a mapping", f"it begins with '{self._begins}'")
        return root

    def _node(self, depth: int) -> Node:
        event = self._next()
        self._refuse(event, depth)
        if isinstance(event, ScalarEvent):
            return self._scalar(event)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(event, depth)
        return self._mapping(event, depth)

    def _refuse(self, event: Event, depth: int) -> None:
        """Whatever could make a small file large, or a value something else than what is written."""
        self._nodes += 1
        spot = self._spot(event)
        if self._nodes > MAX_NODES:
            raise spot.mistake(f"more than {MAX_NODES} values", "split the file")
        if depth > MAX_DEPTH:
            raise spot.mistake(f"nested more than {MAX_DEPTH} levels deep")
        if isinstance(event, AliasEvent):
            raise spot.mistake("aliases (*name) are not allowed", "repeat the value, or quote the text")
        if isinstance(event, NodeEvent) and event.anchor is not None:
            raise spot.mistake("anchors (&name) are not allowed", "repeat the value, or quote the text")
        if getattr(event, "tag", None) is not None:
            raise spot.mistake("tags (!name) are not allowed", "quote the text if '!' belongs to it")

    def _scalar(self, event: ScalarEvent) -> Text | None:
        tag = self._loader.resolve(ScalarNode, event.value, event.implicit)
        if tag == "tag:yaml.org,2002:null" and event.style is None:
            return None
        begin, end = _extent(event)
        if any("\ud800" <= c <= "\udfff" for c in event.value):
            raise self._spot(event).mistake("half of a surrogate pair is no character")
        raw = self._file.text[begin:end]
        return Text(event.value, self._file, indices(event.value, raw, event.style, begin))

    def _sequence(self, event: SequenceStartEvent, depth: int) -> Seq:
        result = Seq(self._spot(event))
        before: Node = None
        while not self._check(SequenceEndEvent):
            spot = self._spot(self._peek())
            node = self._node(depth + 1)
            if isinstance(node, Text) and event.flow_style:
                node.before = before if isinstance(before, Text) else None
            result.add(node, node.spot() if isinstance(node, Text) else spot)
            before = node
        self._next()
        return result

    def _mapping(self, event: Event, depth: int) -> Map:
        result = Map(self._spot(event), flow=isinstance(event, MappingStartEvent) and bool(event.flow_style))
        while not self._check(MappingEndEvent):
            at = self._spot(self._peek())
            key = self._node(depth + 1)
            spot = self._spot(self._peek())
            value = self._node(depth + 1)
            if not isinstance(key, Text):
                raise at.mistake("a key must be text")
            if key in result:
                first = result.keys_at[key].place
                self.mistakes.append(
                    key.spot().mistake(f"{quoted(key)} stands twice", f"first in line {first.line}").diagnostic
                )
            else:
                result.add(key, value, value.spot() if isinstance(value, Text) else spot)
        self._next()
        return result

    def _spot(self, event: Event) -> Spot:
        begin, end = _extent(event)
        return Spot(self._file, begin, max(end, begin + 1))

    def _peek(self) -> Event:
        event: Event = self._loader.peek_event()
        return event

    def _next(self) -> Event:
        event: Event = self._loader.get_event()
        return event

    def _check(self, kind: type[Event]) -> bool:
        return bool(self._loader.check_event(kind))


def _extent(event: Event) -> tuple[int, int]:
    assert event.start_mark is not None
    assert event.end_mark is not None
    return event.start_mark.index, event.end_mark.index
