"""Finding things in the index: one query expression for every edge, and the principal inside every query."""

from filmless.archive.query.instances import StoredInstance, instances_of
from filmless.archive.query.keys import KEYS, LEVELS, Level
from filmless.archive.query.matching import BadKey, Options
from filmless.archive.query.order import BadOrder
from filmless.archive.query.paging import Page, count, page, page_if_known
from filmless.archive.query.request import ARRIVAL, Asked, BadRequest, Order, Query, Understood, understand
from filmless.archive.query.search import Found, search
from filmless.archive.query.visibility import visible, visible_at

__all__ = [
    "ARRIVAL",
    "KEYS",
    "LEVELS",
    "Asked",
    "BadKey",
    "BadOrder",
    "BadRequest",
    "Found",
    "Level",
    "Options",
    "Order",
    "Page",
    "Query",
    "StoredInstance",
    "Understood",
    "count",
    "instances_of",
    "page",
    "page_if_known",
    "search",
    "understand",
    "visible",
    "visible_at",
]
