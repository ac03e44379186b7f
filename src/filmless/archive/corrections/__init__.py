"""Corrections: an overlay over the bytes as received, in force on every way out, listed, and undone at will."""
