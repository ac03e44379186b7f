"""Names in Chinese and what is suggested for them."""

import pytest

from filmless.patients import readings


@pytest.mark.parametrize(
    ("name", "parted", "first"),
    [
        ("曾小乐", "曾^小乐", "ZENG^XIAOLE"),
        ("欧阳晓东", "欧阳^晓东", "OUYANG^XIAODONG"),
        ("单于明", "单于^明", "CHANYU^MING"),
        ("单雄信", "单^雄信", "SHAN^XIONGXIN"),
        ("解缙", "解^缙", "XIE^JIN"),
        ("吕布", "吕^布", "LYU^BU"),
        ("万俟卨", "万俟^卨", "MOQI^XIE"),
        ("王㐂龘", "王^㐂龘", "WANG^XIDA"),
        ("𠮷野", "𠮷^野", "JI^YE"),
        ("王^小东", "王^小东", "WANG^XIAODONG"),
        ("Müller^Änne", "Müller^Änne", None),
        ("Smith^John", "Smith^John", "SMITH^JOHN"),
    ],
)
def test_family_names_have_their_readings(name: str, parted: str, first: str | None) -> None:
    assert readings.split(name) == parted
    assert [one.alphabetic for one in readings.suggestions(name)][:1] == ([first] if first else [])


def test_other_readings_are_offered_and_what_is_not_known_is_told() -> None:
    assert "SHAN^YUMING" in [one.alphabetic for one in readings.suggestions("单于明")]
    assert "CHANYU" in [one.alphabetic for one in readings.suggestions("单于")]
    assert [one.alphabetic for one in readings.suggestions("朴乐")][:2] == ["PIAO^LE", "PIAO^YUE"]
    (way,) = readings.suggestions("张\U0003134a")
    assert way == readings.Reading("ZHANG", "\U0003134a")
