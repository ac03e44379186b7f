"""Counters, final status and failed list of a retrieve (PS3.4 C.4.2.1.6 to C.4.2.3.1)."""

from io import BytesIO

import pytest
from pydicom.filereader import read_dataset

from filmless.archive.retrieve.tally import Result, Tally, result_of


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (0x0000, Result.COMPLETED),
        (0xB000, Result.WARNING),
        (0xB006, Result.WARNING),
        (0xB007, Result.WARNING),
        (0x0107, Result.WARNING),
        (0x0116, Result.WARNING),
        (0x0110, Result.FAILED),
        (0x0122, Result.FAILED),
        (0xA700, Result.FAILED),
        (0xA900, Result.FAILED),
        (0xC000, Result.FAILED),
        (0xFF00, Result.FAILED),
    ],
)
def test_what_a_store_response_means(status: int, result: Result) -> None:
    assert result_of(status) is result


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ("", 0x0000),
        ("ccc", 0x0000),
        ("ccf", 0xB000),
        ("ccw", 0xB000),
        ("w", 0xB000),
        ("wf", 0xB000),
        ("f", 0xA702),
        ("fff", 0xA702),
    ],
)
def test_the_final_status_says_what_really_happened(results: str, status: int) -> None:
    tally = Tally(len(results))
    for number, letter in enumerate(results):
        tally.count({"c": Result.COMPLETED, "w": Result.WARNING, "f": Result.FAILED}[letter], f"1.{number}")
    assert tally.final_status(cancelled=False) == status
    assert tally.remaining == 0
    assert (tally.completed, tally.warning, tally.failed) == tuple(results.count(x) for x in "cwf")


def test_a_cancelled_retrieve_tells_how_many_remain() -> None:
    tally = Tally(3)
    tally.count(Result.COMPLETED, "1.1")
    assert tally.final_status(cancelled=True) == 0xFE00
    assert tally.fields(with_remaining=True)["NumberOfRemainingSuboperations"] == 2
    with pytest.raises(ValueError, match="no sub-operation remains"):
        tally.final_status(cancelled=False)


def test_counters_of_a_final_response_have_no_remaining() -> None:
    assert "NumberOfRemainingSuboperations" not in Tally(0).fields(with_remaining=False)


def test_counters_stay_within_sixteen_bits() -> None:
    assert Tally(70_000).fields(with_remaining=True)["NumberOfRemainingSuboperations"] == 65_535


@pytest.mark.parametrize("count", [1, 2, 5_000])
@pytest.mark.parametrize(("explicit", "little"), [(True, True), (False, True), (True, False)])
def test_the_failed_list_is_a_data_set_that_others_read(count: int, explicit: bool, little: bool) -> None:
    uids = [f"1.2.3.{number}" for number in range(count)]
    tally = Tally(count)
    for uid in uids:
        tally.count(Result.FAILED, uid, "not wanted")
    data = tally.failed_list(explicit=explicit, little=little)
    assert data is not None
    assert len(data) % 2 == 0
    element = read_dataset(BytesIO(data), not explicit, little)[0x0008, 0x0058]
    value = element.value
    found = value.decode().strip("\0").split("\\") if isinstance(value, bytes) else value
    assert ([found] if isinstance(found, str) else list(found)) == uids


def test_no_failure_no_list() -> None:
    tally = Tally(1)
    tally.count(Result.COMPLETED, "1.1")
    assert tally.failed_list(explicit=True) is None
    assert tally.comment == ""


def test_the_comment_names_the_most_frequent_reason_and_fits() -> None:
    tally = Tally(3)
    tally.count(Result.FAILED, "1.1", "the file is missing")
    for uid in ("1.2", "1.3"):
        tally.count(Result.FAILED, uid, "the receiver accepted no context for this class " * 2)
    assert tally.comment.startswith("2 failed: the receiver accepted no context")
    assert len(tally.comment) == 64
