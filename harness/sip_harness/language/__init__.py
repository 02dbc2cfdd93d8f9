"""Scenario files to model: YAML with positions, schema, diagnostics.

`load`, `load_text` and `from_python` are imported when they are first asked for: they need pydantic and PyYAML, which
cost more time than everything else that an importer of this package may want.
"""

from typing import TYPE_CHECKING

from sip_harness.language.diagnostics import Diagnostic, LanguageError

if TYPE_CHECKING:
    from sip_harness.language.loading import from_python, load, load_text

__all__ = ["Diagnostic", "LanguageError", "from_python", "load", "load_text"]


def __getattr__(name: str) -> object:
    if name in ("from_python", "load", "load_text"):
        from sip_harness.language import loading

        return getattr(loading, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
