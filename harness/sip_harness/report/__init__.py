"""Renderings of a record and its verdict."""
