"""Scenario and profile files to model: YAML with positions, schema, diagnostics.

The functions are imported when they are first asked for: they need pydantic and PyYAML, which
cost more time than everything else that an importer of this package may want.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sip_harness.language.diagnostics import Diagnostic, LanguageError

if TYPE_CHECKING:
    from sip_harness.language.loading import from_python, load, load_text
    from sip_harness.language.profile_load import load_profile

TEMPLATE = Path(__file__).with_name("template.system.yaml")
"""A commented profile that can be loaded."""
EXAMPLES = {"asterisk": Path(__file__).with_name("asterisk.system.yaml")}
"""Profiles of systems that many have, by name, to be changed."""

__all__ = ["EXAMPLES", "TEMPLATE", "Diagnostic", "LanguageError", "from_python", "load", "load_profile", "load_text"]


def __getattr__(name: str) -> object:
    if name in ("from_python", "load", "load_text"):
        from sip_harness.language import loading

        return getattr(loading, name)
    if name == "load_profile":
        from sip_harness.language import profile_load

        return profile_load.load_profile
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
