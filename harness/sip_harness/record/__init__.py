"""The record of a run: writing, reading and exporting what was on the wire."""
