"""The system that somebody names: a built-in one, or the profile in a file."""

from __future__ import annotations

from pathlib import Path

from sip_harness.language import Diagnostic, LanguageError, load_profile
from sip_harness.model.place import NOWHERE, Place
from sip_harness.model.profile import BuiltInProfile
from sip_harness.systems.base import System
from sip_harness.systems.external import External
from sip_harness.systems.names import UnknownName
from sip_harness.systems.registry import UnknownSystem, create


def find_system(name: str, *, faults: tuple[str, ...] = (), disruptive: bool = False) -> System:
    """A system, not started. `disruptive` lets scenarios that disturb others onto an external one.

    Raises UnknownName or ValueError for a name or fault that does not exist, LanguageError for a wrong profile.
    """
    if not name.endswith((".yaml", ".yml")):
        return create(name, faults=faults)
    profile = load_profile(Path(name))
    if isinstance(profile, BuiltInProfile):
        return _built_in(profile, faults)
    if faults:
        raise ValueError(f"{profile.name} is an external system: it has no fault switches")
    return External(profile, disruptive=disruptive)


def _built_in(profile: BuiltInProfile, faults: tuple[str, ...]) -> System:
    """What is wrong with a setting is told at its place."""
    try:
        return create(profile.builtin, faults=faults, settings={one.name: one.value for one in profile.settings})
    except UnknownName as error:
        if error.what == "fault":
            raise
        wrong = profile.place if isinstance(error, UnknownSystem) else _place(profile, error.name)
        raise LanguageError([Diagnostic(wrong, str(error))]) from None
    except ValueError as error:
        place = next((one.place for one in profile.settings if one.name in str(error)), profile.place)
        raise LanguageError([Diagnostic(place, str(error))]) from None


def _place(profile: BuiltInProfile, setting: str) -> Place:
    return next((one.place for one in profile.settings if setting in (one.name, one.value)), NOWHERE)
