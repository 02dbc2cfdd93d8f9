"""One report of all processes under pytest-xdist: workers hand their results to the process that started them."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sip_harness.model.result import Result

_RESULTS = "sip_harness_results"


def hand_over(output: dict[str, Any], results: Iterable[Result]) -> None:
    """Put a worker's results into what xdist carries to the controller: it takes nothing but plain types."""
    output[_RESULTS] = zlib.compress(pickle.dumps(list(results)), level=1)


def take_over(output: dict[str, Any]) -> list[Result]:
    """The results of a worker, none if it had none or died. They come from a process of this very run."""
    packed = output.get(_RESULTS)
    return pickle.loads(zlib.decompress(packed)) if packed else []  # noqa: S301


def in_order(results: Iterable[Result]) -> list[Result]:
    """By file and line, as without xdist: which worker was done first says nothing to a reader."""
    return sorted(results, key=lambda result: (result.scenario.place.file, result.scenario.place.line))
