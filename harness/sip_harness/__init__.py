"""A test harness for SIP systems: scripted user agents, real calls, verdicts from the recorded wire."""

__version__ = "0.1.0"
