"""Figures for Prometheus: read when asked for, from what keeps them anyway. No names, no identifiers."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from filmless import __version__
from filmless.archive import quarantine
from filmless.db.work import reading

#: name -> (words, whether it only grows, the figure)
Figures = dict[str, tuple[str, bool, Callable[[], float]]]
#: name -> (words, label, counts by value of the label)
Counted = dict[str, tuple[str, str, Callable[[], Mapping[str, int]]]]


class _Figures(Collector):
    def __init__(self, figures: Figures, counted: Counted) -> None:
        self._figures = figures
        self._counted = counted

    def collect(self) -> Iterator[Metric]:
        for name, (words, grows, read) in self._figures.items():
            family = CounterMetricFamily if grows else GaugeMetricFamily
            yield family(name, words, value=read())
        for name, (words, label, counts) in self._counted.items():
            counter = CounterMetricFamily(name, words, labels=[label])
            for value, number in counts().items():
                counter.add_metric([value], number)
            yield counter


class _Archive(Collector):
    def __init__(self, engine: Engine, store: Path) -> None:
        self._engine = engine
        self._store = store

    def collect(self) -> Iterator[Metric]:
        info = GaugeMetricFamily("filmless_info", "The program that answers.", labels=["version"])
        info.add_metric([__version__], 1)
        yield info
        space = os.statvfs(self._store)
        yield GaugeMetricFamily(
            "filmless_store_free_bytes", "Room left for the store.", value=space.f_bavail * space.f_frsize
        )
        yield GaugeMetricFamily(
            "filmless_store_size_bytes",
            "Size of the store's file system.",
            value=space.f_blocks * space.f_frsize,
        )
        up = 1.0
        try:
            with reading(self._engine) as connection:
                waiting = quarantine.count(connection)
            yield GaugeMetricFamily(
                "filmless_quarantine_objects",
                "Objects in quarantine that wait for a decision.",
                value=waiting,
            )
        except SQLAlchemyError:
            # a database that is away is itself a figure; the others are still wanted then
            up = 0.0
        yield GaugeMetricFamily("filmless_database_up", "1 while the index answers.", value=up)


def registry(engine: Engine, store: Path, figures: Figures, counted: Counted) -> CollectorRegistry:
    """What /metrics shows: this process, the archive, and what is given (asked in another thread)."""
    made = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=made)
    PlatformCollector(registry=made)
    made.register(_Archive(engine, store))
    made.register(_Figures(figures, counted))
    return made
