"""Frozen dataclasses that every layer shares. Data only: no parsing, no I/O, no decisions."""
