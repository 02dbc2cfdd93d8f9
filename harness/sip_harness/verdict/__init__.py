"""The verdict: a pure function of scenario and record (whose header has the policy)."""

from sip_harness.verdict.judge import judge

__all__ = ["judge"]
