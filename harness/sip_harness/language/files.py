"""Files that authors name: read as a whole, within a limit, and never anything but a regular file."""

from __future__ import annotations

import stat
from pathlib import Path

from sip_harness.language.source import File, Spot


class Unreadable(Exception):
    """A file cannot be had; says why in a few words."""

    def __init__(self, why: str, *, missing: bool = False) -> None:
        self.missing = missing
        super().__init__(why)


class TooLarge(Exception):
    """A file has more bytes than allowed."""


def read_bytes(path: Path, limit: int) -> bytes:
    """The bytes of a file, at most `limit`. Raises Unreadable or TooLarge."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise Unreadable("this is no regular file")
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError:
        raise Unreadable("there is no such file or directory", missing=True) from None
    except (OSError, ValueError) as error:
        raise Unreadable(getattr(error, "strerror", None) or str(error)) from None
    if len(data) > limit:
        raise TooLarge
    return data


def decode(data: bytes, name: str) -> str:
    """The text of a file of this name. Raises Mistake where it is no UTF-8."""
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        source = File(name, data.decode("utf-8", "replace"))
        spot = Spot(source, len(before), len(before) + 1)
        raise spot.mistake(f"byte 0x{data[error.start]:02X} is not UTF-8", "save the file as UTF-8") from None


def shown(path: Path) -> str:
    """The path as messages and reports show it: from the working directory if it is in there."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
