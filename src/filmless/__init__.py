"""Filmless: an imaging system for hospitals. Where things are: docs/map.md."""

__version__ = "0.1.0"
