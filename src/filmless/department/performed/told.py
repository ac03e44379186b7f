"""What a device tells of a performed step: its DICOM JSON, kept whole, and what of it we act upon. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

Json = Mapping[str, Any]

IN_PROGRESS: Final = "IN PROGRESS"
COMPLETED: Final = "COMPLETED"
DISCONTINUED: Final = "DISCONTINUED"
FINAL: Final = (COMPLETED, DISCONTINUED)

#: what an N-SET may not change (PS3.4 table F.7.2-1): whose it is, and what was scheduled
FIXED: Final = frozenset(
    {
        "00100010",
        "00100020",
        "00100021",
        "00100030",
        "00100040",
        "00400253",
        "00400241",
        "00400244",
        "00400245",
        "00080060",
        "00400270",
    }
)
#: CID 9300, what we have words for
REASONS: Final[Mapping[str, tuple[str, str]]] = {
    "110500": ("医师取消", "doctor cancelled the procedure"),
    "110501": ("设备故障", "equipment failure"),
    "110502": ("申请有误", "incorrect procedure ordered"),
    "110503": ("对比剂过敏", "allergic to media or contrast"),
    "110504": ("患者死亡", "patient died"),
    "110505": ("患者拒绝", "patient refused to continue"),
    "110506": ("患者已离开", "patient taken for treatment or surgery"),
    "110507": ("患者未到", "patient did not arrive"),
    "110508": ("患者怀孕", "patient pregnant"),
    "110509": ("更改检查", "change of procedure for correct charging"),
    "110510": ("重复申请", "duplicate order"),
    "110511": ("护理单元取消", "nursing unit cancelled"),
    "110512": ("侧别错误", "incorrect side ordered"),
    "110513": ("未说明原因", "discontinued for unspecified reason"),
    "110514": ("选错工作列表条目", "incorrect worklist entry selected"),
    "110515": ("患者状况不允许", "patient condition prevented continuing"),
    "110516": ("更换设备", "equipment change"),
}
WRONG_ENTRY: Final = "110514"


@dataclass(frozen=True, slots=True)
class Scheduled:
    """An item of the Scheduled Step Attributes Sequence (0040,0270)."""

    study_uid: str
    accession_number: str
    procedure_id: str
    step_id: str


@dataclass(frozen=True, slots=True)
class Made:
    """An object that the device says it made."""

    sop_uid: str
    series_uid: str


def text(attributes: Json, tag: str) -> str:
    """The first value of an attribute as text; of a name its groups joined by "="; "" where there is none."""
    values = attributes.get(tag, {}).get("Value") or ()
    first = values[0] if values else ""
    if isinstance(first, dict):
        groups = [str(first.get(group, "")) for group in ("Alphabetic", "Ideographic", "Phonetic")]
        return "=".join(groups).rstrip("=")
    return "" if first is None else str(first).strip()


def items(attributes: Json, tag: str) -> list[Json]:
    """The items of a sequence."""
    return [one for one in attributes.get(tag, {}).get("Value") or () if isinstance(one, dict)]


def scheduled(attributes: Json) -> Iterator[Scheduled]:
    """What the step was scheduled as; items that name nothing are left out."""
    for item in items(attributes, "00400270"):
        one = Scheduled(
            text(item, "0020000D"), text(item, "00080050"), text(item, "00401001"), text(item, "00400009")
        )
        if one.accession_number or one.step_id or one.study_uid:
            yield one


def study_uids(attributes: Json) -> list[str]:
    """The Study Instance UIDs under which it makes its images."""
    found = [text(item, "0020000D") for item in items(attributes, "00400270")]
    return list(dict.fromkeys(filter(None, found)))


def made(attributes: Json) -> dict[str, Made]:
    """SOP Instance UID -> the object, of the Performed Series Sequence (0040,0340): images and others."""
    found: dict[str, Made] = {}
    for series in items(attributes, "00400340"):
        series_uid = text(series, "0020000E")
        for tag in ("00081140", "00400220"):
            for item in items(series, tag):
                if uid := text(item, "00081155"):
                    found[uid] = Made(uid, series_uid)
    return found


def operator(attributes: Json) -> str:
    """Who made the images, as the device wrote it, for people to read."""
    for series in items(attributes, "00400340"):
        for tag in ("00081070", "00081050"):
            if name := text(series, tag):
                groups = name.split("=")
                best = next((group for group in (*groups[1:2], groups[0]) if group), "")
                return best.replace("^", " ").strip() if best.isascii() else best.replace("^", "")
    return ""


def discontinuation(attributes: Json) -> str:
    """Code value of the Discontinuation Reason (0040,0281), "" where none is told."""
    found = items(attributes, "00400281")
    return text(found[0], "00080100") if found else ""


def moment(attributes: Json, date: str, time: str) -> datetime | None:
    """A date and a time as one aware moment; devices write local time."""
    day, hour = text(attributes, date).replace(".", ""), text(attributes, time).replace(":", "")
    hour = hour.partition(".")[0].ljust(6, "0")[:6]
    try:
        return datetime.strptime(day + hour, "%Y%m%d%H%M%S").astimezone()
    except (ValueError, OSError, OverflowError):
        return None
