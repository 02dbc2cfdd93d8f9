"""Captures say whose packet it is and what is wrong with it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import fork_records as made
import pytest

from sip_harness.record import pcapng
from sip_harness.report.comments import comments


def test_every_message_names_its_agent() -> None:
    record = made.fork().record()
    found = comments(record)
    assert list(found) == list(range(len(record.messages)))
    assert found[0] == "desk sends"
    assert found[1] == "desk gets"


def test_the_offending_message_quotes_its_finding() -> None:
    result = made.late()
    assert result.record is not None
    (said,) = [c for c in comments(result.record, result.verdict).values() if "\n" in c]
    assert said.startswith("mobile gets\nfail: expected mobile: CANCEL; CANCEL reached mobile 2.90 s after 600")
    assert said.endswith("[RFC 3261 16.7 step 5]")


def test_engine_and_hostile_bytes() -> None:
    wire = made.fork()
    wire.response(200, "desk", "sent", "486 Busy Here", origin="engine", leg="other")
    assert "desk sends (the stack by itself)" in comments(wire.record()).values()
    result = made.hostile()
    assert result.record is not None
    said = comments(result.record, result.verdict)
    assert all(line.isprintable() for c in said.values() for line in c.split("\n"))


@pytest.mark.needs_tshark
@pytest.mark.parametrize("name", ["late", "missing", "hostile"])
def test_tshark_reads_whole_runs_as_sip(name: str, tmp_path: Path) -> None:
    result = getattr(made, name)()
    said = comments(result.record, result.verdict)
    pcapng.write(tmp_path / "r.pcapng", result.record, said)
    fields = ["-esip.Call-ID", "-eframe.comment", "-esip.CSeq.method"]
    command = ["tshark", "-r", str(tmp_path / "r.pcapng"), "-n", "-Tjson", *fields]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    layers = [p["_source"]["layers"] for p in json.loads(done.stdout)]
    assert len(layers) == len(result.record.messages)
    for message, layer in zip(result.record.messages, layers, strict=True):
        if b"\0" not in message.data:  # Wireshark takes no start line with a NUL for SIP
            assert layer.get("sip.Call-ID"), message
            assert layer.get("sip.CSeq.method"), message
    assert [layer["frame.comment"] for layer in layers] == [[c] for c in said.values()]
