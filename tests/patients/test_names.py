import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmless.patients import names, pinyin


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("WANG^XIAODONG=王^小东", ("wang^xiaodong", "王^小东", "")),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", ("yamada^tarou", "山田^太郎", "やまだ^たろう")),
        ("ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎", ("ヤマダ^タロウ", "山田^太郎", "")),
        ("Müller ^ Jörg^^^", ("muller^jorg", "", "")),
        ("Łukasz^Øyvind", ("lukasz^oyvind", "", "")),
        ("Straße^İpek", ("strasse^ipek", "", "")),
        ("  Adams ^John  Robert^Q^^B.A. ", ("adams^john robert^q^^b.a.", "", "")),
        ("=王^小东", ("", "王^小东", "")),
        ("Hong^Gildong=洪^吉洞=홍^길동", ("hong^gildong", "洪^吉洞", "홍^길동")),
        ("^^^=^=", ("", "", "")),
        ("a=b=c=d", ("a", "b", "c=d")),
        ("", ("", "", "")),
    ],
)
def test_keys(name: str, expected: tuple[str, str, str]) -> None:
    assert names.keys(name) == expected


def test_groups_are_for_display() -> None:
    assert names.groups(" Müller^Jörg^^ = 王^小东") == ("Müller^Jörg", "王^小东", "")


@given(st.text(max_size=40))
def test_normal_is_stable_and_minds_neither_case_nor_form(text: str) -> None:
    once = names.normal(text)
    assert names.normal(once) == once
    assert names.normal(unicodedata.normalize("NFD", text)) == once


@given(st.text(max_size=60))
def test_any_text_has_keys_and_sounds(text: str) -> None:
    assert all(len(sound) <= 200 for sound in names.sounds(text))
    assert len(names.keys(text)) == 3
    assert names.keys("=".join(names.keys(text))) == names.keys(text)


def sounds_alike(asked: str, stored: str) -> bool:
    have = set(names.sounds(stored))
    return any(
        all(have & set(condition) for condition in conditions) for conditions in names.sounds_wanted(asked)
    )


@pytest.mark.parametrize(
    ("asked", "stored"),
    [
        ("WANG^XIAODONG", "Wang^Xiao Dong"),
        ("Wang Xiao Dong", "WANG^XIAODONG"),
        ("XiaoDong Wang", "WANG^XIAODONG"),
        ("Xiao-Dong^Wang", "WANG^XIAO DONG=王^小东"),
        ("wangxiaodong", "WANG^XIAODONG"),
        ("Xi'an^Li", "LI^XIAN"),
        ("Zang^Wei", "ZHANG^WEI"),
        ("Lin^Min", "LIN^MING"),
        ("Lü^Bu", "LYU^BU"),
        ("Lv^Bu", "LÜ^BU"),
        ("Ouyang Feng", "OU YANG^FENG"),
        ("wang", "WANG^XIAODONG"),
        ("王小东", "WANG^XIAODONG=王^小东"),
        ("小东 王", "王^小东"),
        ("Wang=王小东", "WANG^XIAODONG=王^小东"),
        ("Smyth^Jon", "SMITH^JOHN"),
        ("John Smith", "Smith^John^Q"),
        ("Meyer", "Maier^Sabine"),
        ("Patrick O Brien", "O'BRIEN^PATRICK"),
        ("山田太郎", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    ],
)
def test_fuzzy_names_that_are_found(asked: str, stored: str) -> None:
    assert sounds_alike(asked, stored)


@pytest.mark.parametrize(
    ("asked", "stored"),
    [
        ("WANG^XIAODONG", "WANG^DONGXIAO"),
        ("Wang^Xiaodong", "ZHANG^XIAODONG"),
        ("Zhang^Wei", "ZHENG^WU"),
        ("Wang=王小东", "WANG^XIAODONG=王^晓东"),
        ("Smith^John", "JONES^JOHN"),
        ("Smith^Peter", "SMITH^JOHN"),
        ("王小东", "王^小明"),
        ("", "SMITH^JOHN"),
        ("^", ""),
    ],
)
def test_fuzzy_names_that_are_not(asked: str, stored: str) -> None:
    assert not sounds_alike(asked, stored)


@pytest.mark.parametrize(
    ("word", "code"),
    # the examples of the U.S. National Archives
    [
        ("washington", "w252"),
        ("lee", "l000"),
        ("gutierrez", "g362"),
        ("pfister", "p236"),
        ("jackson", "j250"),
        ("tymczak", "t522"),
        ("ashcraft", "a261"),
        ("robert", "r163"),
        ("rupert", "r163"),
    ],
)
def test_soundex(word: str, code: str) -> None:
    assert names.soundex(word) == code


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("xiaodong", ["xiao", "dong"]),
        ("zhuangshuang", ["zhuang", "shuang"]),
        ("ouyang", ["ou", "yang"]),
        ("smith", []),
        ("", []),
        ("a" * 65, []),
    ],
)
def test_syllables(word: str, expected: list[str]) -> None:
    assert pinyin.syllables(word) == expected
