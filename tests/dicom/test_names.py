import pytest

from filmless.dicom.names import Components, parse, tidy


def test_groups_and_components() -> None:
    name = parse("Adams^John Robert Quincy^^Rev.^B.A. M.Div.=亚当斯^约翰=")
    assert name.components() == Components("Adams", "John Robert Quincy", "", "Rev.", "B.A. M.Div.")
    assert name.ideographic == "亚当斯^约翰"
    assert name.components("ideographic").given == "约翰"
    assert name.phonetic == ""
    assert str(name) == "Adams^John Robert Quincy^^Rev.^B.A. M.Div.=亚当斯^约翰"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("Doe^Jane^^^", "Doe^Jane"),
        (" Doe ^ Jane ", "Doe^Jane"),
        ("=山田^太郎", "=山田^太郎"),
        ("Doe==", "Doe"),
        ("^^^^", ""),
        ("", ""),
        ("a=b=c=d", "a=b=c=d"),
        ("a^b^c^d^e^f", "a^b^c^d^e^f"),
    ],
)
def test_tidy(sent: str, kept: str) -> None:
    assert tidy(sent) == kept
    assert tidy(kept) == kept
