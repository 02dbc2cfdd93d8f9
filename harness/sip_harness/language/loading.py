"""Scenario files, scenario text and Python values to scenarios."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from sip_harness.language.build import build
from sip_harness.language.compose import compose
from sip_harness.language.diagnostics import Diagnostic, LanguageError, Mistake, quoted
from sip_harness.language.files import TooLarge, Unreadable, read_bytes
from sip_harness.language.plain import from_values
from sip_harness.language.source import File, Spot
from sip_harness.model.place import Place
from sip_harness.model.scenario import Scenario

SUFFIX = ".sip.yaml"
MAX_BYTES = 1_000_000


def load(paths: Iterable[Path]) -> list[Scenario]:
    """Read scenarios from files, and from directories all `*.sip.yaml` in them and below, in the order of their names.

    A file that is named twice is read once. Raises LanguageError with every mistake of every file.
    """
    scenarios: list[Scenario] = []
    sources: dict[str, File] = {}
    mistakes: list[Diagnostic] = []
    for path in _files(paths, mistakes):
        try:
            source = _source(_read(path), _shown(path))
            scenarios.append(_scenario(source, path.parent))
            sources[source.name] = source
        except LanguageError as error:
            mistakes.extend(error.diagnostics)
        except Mistake as mistake:
            mistakes.append(mistake.diagnostic)
    mistakes.extend(_same_ids(scenarios, sources))
    if mistakes:
        raise LanguageError(mistakes)
    return scenarios


def load_text(text: str, file: str) -> Scenario:
    """Read one scenario; `file` is the name that places and messages carry, and other files are looked for beside it.

    Raises LanguageError with every mistake.
    """
    if len(text) > MAX_BYTES:
        raise LanguageError([_too_large(file).diagnostic])
    return _scenario(_source(text, file), Path(file).parent)


def from_python(document: dict[str, object], place: Place) -> Scenario:
    """Read one scenario from Python values: the same keys as in a file, numbers allowed for codes.

    Every place in the scenario is `place`, and other files are looked for beside its file; messages name the path of
    keys. Raises LanguageError with every mistake.
    """
    try:
        root, mistakes = from_values(document, place)
    except Mistake as mistake:
        raise LanguageError([mistake.diagnostic]) from None
    return build(root, mistakes, Path(place.file).parent)


def _source(text: str, name: str) -> File:
    return File(name, text.removeprefix("\ufeff"))


def _scenario(source: File, directory: Path) -> Scenario:
    try:
        root, mistakes = compose(source)
    except Mistake as mistake:
        raise LanguageError([mistake.diagnostic]) from None
    return build(root, mistakes, directory)


def _files(paths: Iterable[Path], mistakes: list[Diagnostic]) -> Iterator[Path]:
    seen: set[Path] = set()
    for path in paths:
        found = [path]
        if path.is_dir():
            found = sorted(p for p in path.rglob(f"*{SUFFIX}") if p.is_file())
            if not found:
                mistakes.append(
                    _at(_shown(path)).mistake(f"no scenario in this directory: no file *{SUFFIX}").diagnostic
                )
        for one in found:
            if (real := _real(one)) not in seen:
                seen.add(real)
                yield one


def _shown(path: Path) -> str:
    """The path as messages and reports show it: from the working directory if it is in there."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _real(path: Path) -> Path:
    """The file itself; a path that leads nowhere stands for itself and is refused when it is read."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):
        return path


def _read(path: Path) -> str:
    """The text of a file. Raises Mistake if it cannot be had."""
    name = _shown(path)
    try:
        return _decode(read_bytes(path, MAX_BYTES), name)
    except Unreadable as error:
        raise _at(name).mistake(str(error)) from None
    except TooLarge:
        raise _too_large(name) from None


def _decode(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        source = File(name, data.decode("utf-8", "replace"))
        spot = Spot(source, len(before), len(before) + 1)
        raise spot.mistake(f"byte 0x{data[error.start]:02X} is not UTF-8", "save the file as UTF-8") from None


def _same_ids(scenarios: list[Scenario], sources: dict[str, File]) -> Iterator[Diagnostic]:
    first: dict[str, Place] = {}
    for one in scenarios:
        if (other := first.setdefault(one.id, one.place)) is not one.place:
            source = sources[one.place.file]
            begin = source.index(one.place)
            spot = Spot(source, begin, begin + len(one.id))
            yield spot.mistake(f"id {quoted(one.id)} is taken", f"the first is in {other}").diagnostic


def _too_large(name: str) -> Mistake:
    return _at(name).mistake(f"larger than {MAX_BYTES // 1_000_000} MB", "one file holds one scenario")


class _Nameless:
    """A file of which nothing but its name is known."""

    prefix = ""

    def __init__(self, name: str) -> None:
        self._name = name

    def place(self, index: int) -> Place:
        return Place(self._name)

    def excerpt(self, begin: int, end: int) -> str:
        return ""


def _at(name: str) -> Spot:
    return Spot(_Nameless(name))
