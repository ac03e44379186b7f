"""How old somebody was. Pure: no I/O."""

from datetime import date, datetime

from filmless.kit import clock


def age(birth_date: str, at: datetime | None) -> str:
    """The age at a moment as DICOM writes it without its zeros ("66Y", "5M", "12D"); "" where it is not known."""
    if len(birth_date) < 4 or not birth_date.isdigit():
        return ""
    day = (at or clock.now()).astimezone().date()
    try:
        born = date(int(birth_date[:4]), int(birth_date[4:6] or 7), int(birth_date[6:8] or 1))
    except ValueError:
        return ""
    if born > day:
        return ""
    months = (day.year - born.year) * 12 + day.month - born.month - (day.day < born.day)
    if months >= 36 or len(birth_date) < 6:
        return f"{months // 12}Y"
    return f"{months}M" if months >= 2 else f"{(day - born).days}D"
