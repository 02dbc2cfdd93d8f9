"""Scenario files, scenario text and Python values to scenarios."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from sip_harness.language import include, matrix
from sip_harness.language.build import build
from sip_harness.language.compose import compose
from sip_harness.language.diagnostics import Diagnostic, LanguageError, Mistake, quoted, visible
from sip_harness.language.files import TooLarge, Unreadable, decode, read_bytes, shown
from sip_harness.language.plain import from_values
from sip_harness.language.source import File, Map, Spot, Text
from sip_harness.model.place import Place
from sip_harness.model.scenario import Scenario

SUFFIX = ".sip.yaml"
MAX_BYTES = 1_000_000
MAX_ALIKE = 3
"""Mistakes that are told of one place in a matrix."""


def load(paths: Iterable[Path]) -> list[Scenario]:
    """Read scenarios from files, and from directories all `*.sip.yaml` in them and below, in the order of their names.

    A file that is named twice is read once; one with a matrix gives a scenario for each of its cases.
    Raises LanguageError with every mistake of every file.
    """
    found: list[tuple[Scenario, Spot]] = []
    mistakes: list[Diagnostic] = []
    for path in _files(paths, mistakes):
        try:
            found.extend(_of_file(File(shown(path), _read(path)), path))
        except LanguageError as error:
            mistakes.extend(error.diagnostics)
        except Mistake as mistake:
            mistakes.append(mistake.diagnostic)
    mistakes.extend(_same_ids(found))
    if mistakes:
        raise LanguageError(mistakes)
    return [scenario for scenario, _ in found]


def load_text(text: str, file: str) -> Scenario:
    """Read one scenario; `file` is the name that places and messages carry, and other files are looked for beside it.

    Raises LanguageError with every mistake, and for a matrix of several cases.
    """
    if len(text) > MAX_BYTES:
        raise LanguageError([_too_large(file).diagnostic])
    found = _of_file(File(file, text.removeprefix("\ufeff")), Path(file))
    if len(found) > 1:
        raise LanguageError([found[0][1].mistake(f"a matrix of {len(found)} cases, where one is wanted").diagnostic])
    return found[0][0]


def from_python(document: dict[str, object], place: Place, parts: Mapping[str, Place] | None = None) -> Scenario:
    """Read one scenario from Python values: the same keys as in a file, numbers allowed for codes.

    Every place in the scenario is `place`, or that of the part that it is in (`parts`, by path of keys), and other
    files are looked for beside its file; messages name the path of keys. Raises LanguageError with every mistake.
    """
    file = Path(place.file)
    try:
        root, mistakes = from_values(document, place, parts)
        whole, more = include.merged(root, file)
        if matrix.KEY in whole:
            raise whole.keys_at[matrix.KEY].mistake("a matrix is for files", "use a loop, or pytest.mark.parametrize")
    except Mistake as mistake:
        raise LanguageError([mistake.diagnostic]) from None
    return build(whole, [*mistakes, *more], file.parent)


def _of_file(source: File, path: Path) -> list[tuple[Scenario, Spot]]:
    """The scenarios of a file, each with the place of its id. Raises LanguageError."""
    try:
        root, mistakes = compose(source)
        whole, more = include.merged(root, path)
    except Mistake as mistake:
        raise LanguageError([mistake.diagnostic]) from None
    mistakes = [*mistakes, *more]
    if matrix.KEY in whole:
        return _of_cases(matrix.cases(whole), mistakes, path.parent)
    return [_built(whole, mistakes, path.parent)]


def _of_cases(cases: list[matrix.Case], mistakes: list[Diagnostic], directory: Path) -> list[tuple[Scenario, Spot]]:
    found: list[tuple[Scenario, Spot]] = []
    wrong: dict[Diagnostic, list[str]] = {}
    for case in cases:
        try:
            found.append(_built(case.root, mistakes, directory))
        except LanguageError as error:
            for one in error.diagnostics:
                wrong.setdefault(one, []).append(case.id)
    if wrong:
        raise LanguageError(_few([_told(one, ids, len(cases)) for one, ids in wrong.items()]))
    return found


def _few(diagnostics: list[Diagnostic]) -> Iterator[Diagnostic]:
    """Not more than a few for each place: a variable can have hundreds of wrong values."""
    by_place: dict[Place, list[Diagnostic]] = {}
    for one in diagnostics:
        by_place.setdefault(one.place, []).append(one)
    for alike in by_place.values():
        yield from alike[: MAX_ALIKE - 1]
        if len(alike) > MAX_ALIKE:
            more = f"{alike[MAX_ALIKE - 1].message}, and {len(alike) - MAX_ALIKE} more mistakes here"
            yield replace(alike[MAX_ALIKE - 1], message=more)
        else:
            yield from alike[MAX_ALIKE - 1 :]


def _told(diagnostic: Diagnostic, ids: list[str], cases: int) -> Diagnostic:
    """A mistake with the cases that have it, unless all have it."""
    if len(ids) >= cases:
        return diagnostic
    more = f" and {len(ids) - 1} more" if len(ids) > 1 else ""
    return replace(diagnostic, message=f"{diagnostic.message} (in case {visible(ids[0])}{more})")


def _built(root: Map, mistakes: list[Diagnostic], directory: Path) -> tuple[Scenario, Spot]:
    scenario = build(root, mistakes, directory)
    name = root["id"]
    assert isinstance(name, Text)
    return scenario, name.spot()


def _files(paths: Iterable[Path], mistakes: list[Diagnostic]) -> Iterator[Path]:
    seen: set[Path] = set()
    for path in paths:
        found = [path]
        if path.is_dir():
            found = sorted(p for p in path.rglob(f"*{SUFFIX}") if p.is_file())
            if not found:
                mistakes.append(
                    _at(shown(path)).mistake(f"no scenario in this directory: no file *{SUFFIX}").diagnostic
                )
        for one in found:
            if (real := _real(one)) not in seen:
                seen.add(real)
                yield one


def _real(path: Path) -> Path:
    """The file itself; a path that leads nowhere stands for itself and is refused when it is read."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):
        return path


def read_text(path: Path) -> tuple[str, str]:
    """The text of one file and the name that messages carry. Raises Mistake if it cannot be had."""
    return _read(path).removeprefix("\ufeff"), shown(path)


def _read(path: Path) -> str:
    """The text of a file. Raises Mistake if it cannot be had."""
    name = shown(path)
    try:
        return decode(read_bytes(path, MAX_BYTES), name)
    except Unreadable as error:
        raise _at(name).mistake(str(error)) from None
    except TooLarge:
        raise _too_large(name) from None


def _same_ids(found: list[tuple[Scenario, Spot]]) -> Iterator[Diagnostic]:
    first: dict[str, Place] = {}
    told: set[Place] = set()
    for one, spot in found:
        other = first.setdefault(one.id, one.place)
        if other is not one.place and one.place not in told:
            told.add(one.place)  # one message says enough of a matrix that stands twice
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
