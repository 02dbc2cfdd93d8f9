"""Built-in systems with settings from a profile."""

from __future__ import annotations

from pathlib import Path

import pytest

from sip_harness.language import LanguageError
from sip_harness.run.systems import find_system
from sip_harness.systems.kamailio import Kamailio
from sip_harness.systems.kamailio_settings import Settings
from sip_harness.systems.reference.b2bua import ReferenceB2bua
from sip_harness.systems.reference.system import Reference


def profile(directory: Path, builtin: str, settings: str) -> str:
    file = directory / "own.system.yaml"
    file.write_text(f"name: own\nbuiltin: {builtin}\nsettings: {settings}\n")
    return str(file)


def test_times_become_seconds(tmp_path: Path) -> None:
    system = find_system(profile(tmp_path, "kamailio", "{transaction: 2s, ring: 1500ms}"))
    assert isinstance(system, Kamailio)
    assert system._settings == Settings(transaction=2.0, ring=1.5)


def test_the_embedded_systems_have_settings_too(tmp_path: Path) -> None:
    system = find_system(profile(tmp_path, "reference", "{ring: 900ms, recurse: yes}"))
    assert isinstance(system, Reference)
    assert (system._settings.ring, system._settings.recurse) == (0.9, True)
    pbx = find_system(profile(tmp_path, "reference-b2bua", "{ring-timeout: 603, progress: first}"))
    assert isinstance(pbx, ReferenceB2bua)
    assert (pbx._settings.ring_timeout, pbx._settings.progress) == (603, "first")


@pytest.mark.parametrize(
    ("builtin", "settings", "why"),
    [
        ("kamailio", "{transacton: 2s}", r":3:12: unknown setting 'transacton'; did you mean transaction\?"),
        ("kamailio", "{digest: yes}", ":3:12: unknown setting 'digest'"),
        ("kamailio", "{ring: soon}", ":3:12: setting ring is 'soon': it takes a time, as 500ms or 2s"),
        ("kamailio", "{ring: 1ms}", "timer ring is 0.001s"),
        ("reference", "{recurse: maybe}", ":3:12: setting recurse is 'maybe': it takes yes or no"),
        ("reference-b2bua", "{progress: firts}", r":3:12: unknown progress 'firts'; did you mean first\?"),
        ("kamalio", "{ring: 2s}", r":1:7: unknown system 'kamalio'; did you mean kamailio\?"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(tmp_path: Path, builtin: str, settings: str, why: str) -> None:
    with pytest.raises(LanguageError, match=why):
        find_system(profile(tmp_path, builtin, settings))


def test_an_external_system_has_no_faults(tmp_path: Path) -> None:
    file = tmp_path / "x.system.yaml"
    file.write_text("name: x\nkind: proxy\naddress: 192.0.2.1\n")
    with pytest.raises(ValueError, match="x is an external system: it has no fault switches"):
        find_system(str(file), faults=("maps-600-to-486",))
