"""`include`: what several scenarios of a directory share, in files of its own (`*.piece.yaml`).

A piece is a part of a scenario: `devices`, `targets`, `calls` and so on. Mappings are merged name by name; what the
including file says wins, then the pieces in their order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from sip_harness.language.compose import compose
from sip_harness.language.diagnostics import Diagnostic, did_you_mean, nearest, quoted
from sip_harness.language.files import TooLarge, Unreadable, decode, read_bytes, shown
from sip_harness.language.source import File, Map, Node, Seq, Text

KEY = "include"
SUFFIX = ".piece.yaml"
MAX_BYTES = 1_000_000
MAX_DEPTH = 8
MAX_PIECES = 32
MAX_SIBLINGS = 200
_OWN = ("title", "id")


def merged(root: Map, file: Path) -> tuple[Map, list[Diagnostic]]:
    """The document of this file with all that it includes, and what is wrong in the pieces although they can be read.

    Pieces lie in the directory of `file` or below, and are named from where they are included. Raises Mistake.
    """
    if KEY not in root:
        return root, []
    reader = _Reader(file.parent.resolve())
    return reader.document(root, file.resolve(), ()), reader.mistakes


@dataclass
class _Reader:
    top: Path
    mistakes: list[Diagnostic] = field(default_factory=list)
    pieces: int = 0

    def document(self, root: Map, file: Path, above: tuple[Path, ...]) -> Map:
        names = _names(root)
        parts = [self._piece(name, file, (*above, file)) for name in names]
        result = Map(root.spot, flow=root.flow)
        for part in reversed(parts):
            _lay_over(result, part)
        _lay_over(result, root)
        return result

    def _piece(self, name: Text, file: Path, above: tuple[Path, ...]) -> Map:
        path = self._path(name, file)
        if path in above:
            hint = "what both need belongs into a third piece"
            raise name.all.mistake(
                f"{quoted(name)} includes itself by way of others"
                if path != file
                else f"{quoted(name)} includes itself",
                hint,
            )
        self.pieces += 1
        if len(above) > MAX_DEPTH:
            raise name.all.mistake(f"included more than {MAX_DEPTH} levels deep", "include it further out")
        if self.pieces > MAX_PIECES:
            raise name.all.mistake(f"more than {MAX_PIECES} pieces", "put them together")
        root, mistakes = compose(File(shown(path), _text(name, path)))
        self.mistakes += mistakes
        for key in _OWN:
            if key in root:
                raise root.keys_at[key].mistake(f"a piece has no {quoted(key)}", "each scenario has one of its own")
        return self.document(root, path, above) if KEY in root else root

    def _path(self, name: Text, file: Path) -> Path:
        written = PurePosixPath(name)
        if written.is_absolute():
            raise name.all.mistake("an absolute path", "name the piece from the directory of this file")
        if not name.endswith(SUFFIX):
            hint = f"name it {quoted(written.name.split('.')[0] + SUFFIX)}" if written.name else ""
            raise name.all.mistake(f"the name of a piece ends in {SUFFIX}", hint)
        try:
            path = (file.parent / name).resolve()
        except (OSError, RuntimeError, ValueError) as error:
            raise name.all.mistake(f"{quoted(name)}: {error}") from None
        if not path.is_relative_to(self.top):
            hint = "pieces lie beside the scenario or below"
            raise name.all.mistake(f"{quoted(name)} leads out of the scenario's directory", hint)
        return path


def _names(root: Map) -> list[Text]:
    node = root[KEY]
    found = node if isinstance(node, Seq) else [node]
    texts = [one for one in found if isinstance(one, Text)]
    if not texts or len(texts) < len(found):
        raise root.keys_at[KEY].mistake(
            "'include' is the name of a piece, or a list of them", "write include: x.piece.yaml"
        )
    return texts


def _text(name: Text, path: Path) -> str:
    try:
        return decode(read_bytes(path, MAX_BYTES), shown(path))
    except TooLarge:
        message = f"{quoted(name)} is larger than {MAX_BYTES // 1_000_000} MB"
        raise name.all.mistake(message, "a piece holds what a few scenarios share") from None
    except Unreadable as error:
        near = nearest(path.name.removesuffix(SUFFIX), _siblings(path)) if error.missing else ""
        hint = did_you_mean(f"{near}{SUFFIX}") if near else ""
        why = "there is no such file" if error.missing else str(error)
        raise name.all.mistake(f"{quoted(name)}: {why}", hint) from None


def _siblings(path: Path) -> list[str]:
    try:
        return sorted(p.name.removesuffix(SUFFIX) for p in path.parent.glob(f"*{SUFFIX}"))[:MAX_SIBLINGS]
    except OSError:
        return []


def _lay_over(result: Map, upper: Map) -> None:
    """Put a document over another; mappings are merged by name, everything else is replaced."""
    for key, value in upper.items():
        if key == KEY:
            continue
        lower = result.get(key)
        together: Node = value
        if isinstance(lower, Map) and isinstance(value, Map):
            together = _both(lower, value)
        result[key], result.keys_at[key], result.values_at[key] = together, upper.keys_at[key], upper.values_at[key]


def _both(lower: Map, upper: Map) -> Map:
    result = Map(upper.spot, flow=upper.flow)
    for one in (lower, upper):
        for key in one:
            result.pop(key, None)  # the key that is written in the upper one brings its own place
            result[key], result.keys_at[key], result.values_at[key] = one[key], one.keys_at[key], one.values_at[key]
    return result
