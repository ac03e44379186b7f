"""Builders of new objects (PS3.3), valid by construction."""
