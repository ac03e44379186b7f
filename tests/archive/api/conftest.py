"""The archive's part of our own API, on either database."""

from tests.archive.web.place import place  # noqa: F401 - a fixture
