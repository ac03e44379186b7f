"""Finding things in the index: one query expression for every edge, and the principal inside every query."""

from filmless.archive.query.instances import StoredInstance, instances_of
from filmless.archive.query.keys import KEYS, LEVELS, Level
from filmless.archive.query.matching import BadKey, Options
from filmless.archive.query.request import Asked, BadRequest, Query, Understood, understand
from filmless.archive.query.search import Found, search
from filmless.archive.query.visibility import visible, visible_at

__all__ = [
    "KEYS",
    "LEVELS",
    "Asked",
    "BadKey",
    "BadRequest",
    "Found",
    "Level",
    "Options",
    "Query",
    "StoredInstance",
    "Understood",
    "instances_of",
    "search",
    "understand",
    "visible",
    "visible_at",
]
