"""Figures that processes share."""

import os

from filmless.kit.board import Board


def test_what_one_process_says_all_others_read() -> None:
    first = Board()
    second = Board(1, os.dup(first.fileno()))
    before = first.changes
    second.changed()
    assert first.changes == second.changes != before

    assert first.held() == []
    first.take_part(0)
    second.take_part(3)
    assert first.held() == second.held() == [0, 3]
    # the second one ended without a word: whoever started it says so
    first.leave(1)
    assert second.held() == [0]

    # what is there in its place counts on: no state comes a second time
    known = first.changes
    Board(1, os.dup(first.fileno())).changed()
    assert first.changes not in (before, known)
