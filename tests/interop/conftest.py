"""All tests here talk with foreign toolkits."""

from pathlib import Path

import pytest
from tests.peers import filmless_server

__all__ = ["filmless_server"]

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.interop)
