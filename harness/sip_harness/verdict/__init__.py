"""The verdict: a pure function of scenario, policy and record."""
