"""Scenario files to model: YAML with positions, schema, diagnostics."""
