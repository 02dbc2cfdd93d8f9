"""What a capture file says beside each packet: whose message it is, and what is wrong with it."""

from __future__ import annotations

from sip_harness.model.entry import Record
from sip_harness.model.verdict import Verdict
from sip_harness.report.escape import visible


def comments(record: Record, verdict: Verdict | None = None) -> dict[int, str]:
    """Comments by index in `record.messages`, for `record.pcapng.write`.

    All agents may share one IP address, so each packet names its agent; a packet that a finding is about quotes it.
    """
    findings = verdict.findings if verdict else ()
    made = {}
    for number, message in enumerate(record.messages):
        engine = " (the stack by itself)" if message.origin == "engine" else ""
        lines = [f"{message.agent} {'sends' if message.direction == 'sent' else 'gets'}{engine}"]
        for finding in findings:
            if finding.message == message:
                rule = f" [{finding.cite}]" if finding.cite else ""
                lines.append(f"{finding.outcome.value}: expected {finding.expected}; {finding.seen}{rule}")
        made[number] = "\n".join(visible(line) for line in lines)
    return made
