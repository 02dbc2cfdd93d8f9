"""Exact bytes from a file beside the scenario."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from sip_harness.language.diagnostics import did_you_mean, guess, nearest, quoted
from sip_harness.language.files import TooLarge, Unreadable, read_bytes
from sip_harness.language.headers import one_line
from sip_harness.language.names import Names
from sip_harness.language.source import Text
from sip_harness.model.place import Place
from sip_harness.model.steps import Raw

MAX_BYTES = 65_535
"""No datagram is longer."""
MAX_SIBLINGS = 2000
PLACEHOLDERS = (
    "{via}", "{from}", "{to}", "{call-id}", "{cseq}", "{contact}", "{branch}", "{sent-by}", "{more-vias}",
    "{run}",
)  # fmt: skip
OF_TARGETS = ("{uri}", "{user}", "{host}", "{hostport}")
"""What stands for parts of what the target of a call has."""
_LIKE_PLACEHOLDER = re.compile(rb"\{[A-Za-z_-]{2,12}\}")


def first(text: Text, names: Names) -> Raw:
    """The bytes of this file as the request of a call: they may speak of its target, too. Raises Mistake."""
    return raw(text, names, known=PLACEHOLDERS + OF_TARGETS)


def raw(text: Text, names: Names, place: Place | None = None, *, known: tuple[str, ...] = PLACEHOLDERS) -> Raw:
    """The step that sends the bytes of this file. Raises Mistake if they cannot be had or hold a mistyped placeholder.

    The file is named from the directory of the scenario and lies in it or below.
    """
    _check_path(text)
    path = names.directory / text
    try:
        if not path.resolve().is_relative_to(names.directory.resolve()):
            raise text.all.mistake(f"{quoted(text)} leads out of the scenario's directory", "copy the file into it")
        data = read_bytes(path, MAX_BYTES)
    except TooLarge:
        raise text.all.mistake(f"{quoted(text)} is larger than {MAX_BYTES:,} bytes", "no datagram is longer") from None
    except (OSError, RuntimeError, Unreadable) as error:
        missing = isinstance(error, Unreadable) and error.missing
        why = "there is no such file beside the scenario" if missing else str(error)
        hint = guess(path.name, _siblings(path)) if missing else ""
        raise text.all.mistake(f"{quoted(text)}: {why}", hint) from None
    _check_data(text, data, known)
    return Raw(data, str(text), place or text.place)


def _check_path(text: Text) -> None:
    one_line(text, "the name of a file")
    path = PurePosixPath(text)
    if not path.parts:
        raise text.all.mistake("the name of a file is missing")
    if path.is_absolute():
        raise text.all.mistake("an absolute path", "name the file from the directory of the scenario")
    if ".." in path.parts:
        raise text.all.mistake("'..' leads out of the scenario's directory", "put the file beside the scenario")


def _check_data(text: Text, data: bytes, known: tuple[str, ...]) -> None:
    if not data:
        raise text.all.mistake(f"{quoted(text)} is empty: nothing would be sent")
    if (found := mistyped(data, known)) is not None:
        word, near = found
        raise text.all.mistake(f"unknown placeholder {quoted(word)} in {quoted(text)}", did_you_mean(near))


def mistyped(data: bytes, known: tuple[str, ...]) -> tuple[str, str] | None:
    """The first thing in braces that is nearly a placeholder, and that one."""
    for found in _LIKE_PLACEHOLDER.findall(data):
        word = found.decode("ascii")
        if word not in known and (near := nearest(word, known)):
            return word, near
    return None


def _siblings(path: Path) -> list[str]:
    """Names of files that may have been meant, those of the same kind first."""
    try:
        names = (one.name for one in path.parent.iterdir() if one.is_file())
        found = sorted(names, key=lambda name: (not name.endswith(path.suffix), name))
    except OSError:
        return []
    return [name for name in found if not name.endswith(".yaml")][:MAX_SIBLINGS]
