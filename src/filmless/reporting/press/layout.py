"""What stands on a printed report, in its language. Pure: from what is known to the data of report.typ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from filmless.reporting.model import SECTION_WORDS, SECTIONS, whole
from filmless.reporting.press.code128 import widths

_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "title": ("{modality}检查报告单", "{modality} report"),
    "name": ("姓名", "Name"),
    "sex": ("性别", "Sex"),
    "age": ("年龄", "Age"),
    "patient_id": ("患者号", "Patient ID"),
    "number": ("检查号", "Exam number"),
    "alias": ("原检查号", "Formerly"),
    "class": ("类别", "Class"),
    "department": ("申请科室", "Requested by"),
    "requester": ("申请医师", "Physician"),
    "bed": ("病区/床号", "Ward/bed"),
    "procedure": ("检查项目", "Examination"),
    "part": ("检查部位", "Body part"),
    "examined": ("检查时间", "Examined"),
    "reported": ("报告时间", "Reported"),
    "diagnosis": ("临床诊断", "Clinical diagnosis"),
    "author": ("报告医师", "Author"),
    "reviewer": ("审核医师", "Reviewed by"),
    "signed_at": ("审核时间", "Signed at"),
    "addendum": ("补充报告", "Addendum"),
    "corrected": ("修订报告:{reason}", "Corrected report: {reason}"),
    "provisional": ("急诊报告,以正式报告为准", "Preliminary emergency report; the final report decides"),
    "draft": ("草稿 未审核", "DRAFT not signed"),
    "superseded": ("已被新版本取代", "Superseded"),
    "retracted": ("已撤回", "Retracted"),
    "copy": ("第{copy}次打印", "Copy {copy}"),
    "page": ("第{page}页 共{pages}页", "Page {page} of {pages}"),
    "footer": (
        "本报告仅供临床医师参考,未经审核签名无效。",
        "For the referring physician. Not valid without a reviewer's signature.",
    ),
    "signature": ("电子签名 Ed25519 · 校验码 {code}", "Signed electronically, Ed25519 · check code {code}"),
    "missing": (
        "本报告中□代表字库中没有的字,请以系统内文字为准。",
        "□ stands for a character that the fonts lack; the text in the system counts.",
    ),
    "qr": ("扫码核验本报告", "Scan to check this report"),
    "fields": ("结构化数据", "Structured values"),
    "year": ("{n}岁", "{n} y"),
    "month": ("{n}个月", "{n} months"),
    "day": ("{n}天", "{n} days"),
}
_SEX: Final[Mapping[str, tuple[str, str]]] = {
    "M": ("男", "male"),
    "F": ("女", "female"),
    "O": ("其他", "other"),
}
_SIDE: Final[Mapping[str, tuple[str, str]]] = {
    "L": ("左", "left"),
    "R": ("右", "right"),
    "B": ("双侧", "both"),
}
_CLASS: Final[Mapping[str, tuple[str, str]]] = {
    "O": ("门诊", "outpatient"),
    "I": ("住院", "inpatient"),
    "E": ("急诊", "emergency"),
    "P": ("体检", "physical exam"),
}
_MODALITY: Final[Mapping[str, tuple[str, str]]] = {
    "DX": ("X线", "X-ray"),
    "CR": ("X线", "X-ray"),
    "RF": ("透视", "Fluoroscopy"),
    "MG": ("乳腺X线", "Mammography"),
    "US": ("超声", "Ultrasound"),
    "MR": ("MR", "MR"),
    "CT": ("CT", "CT"),
    "XA": ("血管造影", "Angiography"),
    "NM": ("核医学", "Nuclear medicine"),
    "PT": ("PET", "PET"),
    "ES": ("内镜", "Endoscopy"),
}
#: of these the pictures come before the text
_PICTURES_FIRST: Final = frozenset({"US", "ES"})
#: height of a picture in mm by how many there are
_HEIGHT: Final = {1: 85, 2: 70}


@dataclass(frozen=True, slots=True)
class Addendum:
    """Text that was added to a final report."""

    content: Mapping[str, Any]
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that a printed report is made of. Names and words as people read them; moments are aware."""

    language: str
    hospital: str
    department: str
    logo: str
    #: ideographic or alphabetic name as it is read, and its pinyin where it has one
    name: str
    sex: str
    age: str
    patient_id: str
    number: str
    aliases: tuple[str, ...]
    modality: str
    patient_class: str
    requested_by: str
    requester: str
    ward: str
    bed: str
    diagnosis: str
    procedures: tuple[str, ...]
    body_part: str
    side: str
    examined_at: datetime | None
    content: Mapping[str, Any]
    #: of the structured fields: (label, value)
    fields: tuple[tuple[str, str], ...]
    addenda: tuple[Addendum, ...]
    author: str
    reviewer: str
    signed_at: datetime | None
    #: "final", "correction", "provisional", "draft", "superseded", "retracted"
    standing: str
    reason: str = ""
    check_code: str = ""
    link: str = ""
    #: 0: a view, no numbered copy
    copy: int = 0
    #: (file name, caption)
    pictures: Sequence[tuple[str, str]] = field(default_factory=tuple)


def sheet_data(sheet: Sheet) -> dict[str, Any]:
    """The data of report.typ."""
    at = 0 if sheet.language == "zh" else 1

    def say(word: str, **values: str | int) -> str:
        text = _WORDS[word][at]
        return text.format(**values) if values else text

    content = whole(sheet.content)
    modality = _MODALITY.get(sheet.modality, (sheet.modality, sheet.modality))[at]
    facts = [
        (say("name"), sheet.name, 1, True),
        (say("sex"), _SEX.get(sheet.sex, ("", ""))[at], 1, False),
        (say("age"), _age(sheet.age, at), 1, False),
        (say("number"), sheet.number, 1, True),
        (say("patient_id"), sheet.patient_id, 1, False),
        (say("class"), _CLASS.get(sheet.patient_class, ("", ""))[at], 1, False),
        (say("department"), sheet.requested_by, 1, False),
        (say("requester"), sheet.requester, 1, False),
        (say("bed"), " ".join(part for part in (sheet.ward, sheet.bed) if part), 1, False),
        (say("procedure"), "; ".join(sheet.procedures) + _side(sheet.side, at), 2, False),
        (say("examined"), _moment(sheet.examined_at), 1, False),
    ]
    if sheet.aliases:
        facts.append((say("alias"), " ".join(sheet.aliases), 3, False))
    if sheet.diagnosis:
        facts.append((say("diagnosis"), sheet.diagnosis[:120], 3, False))
    notice = {
        "provisional": say("provisional"),
        "correction": say("corrected", reason=sheet.reason),
        "superseded": say("superseded"),
        "retracted": say("retracted"),
    }.get(sheet.standing, "")
    signers = [(say("author"), sheet.author), (say("reviewer"), sheet.reviewer)]
    if sheet.signed_at is not None:
        signers.append((say("signed_at"), _moment(sheet.signed_at)))
    remarks = []
    if sheet.check_code:
        remarks.append(say("signature", code=sheet.check_code))
    return {
        "language": sheet.language,
        "title": say("title", modality=modality).strip(),
        "hospital": sheet.hospital,
        "department": sheet.department,
        "logo": sheet.logo,
        "author": sheet.reviewer or sheet.author,
        "number": sheet.number,
        "bars": widths(sheet.number) if sheet.number.isascii() and sheet.number else [],
        "running": f"{sheet.name}  {say('title', modality=modality)}",
        "footer": "  ".join(part for part in (sheet.department, say("footer")) if part),
        "page_words": _WORDS["page"][at],
        "watermark": say("draft") if sheet.standing == "draft" else "",
        "copy": say("copy", copy=sheet.copy) if sheet.copy else "",
        "notice": notice,
        "facts": [
            {"label": label, "value": value, "span": span, "strong": strong}
            for label, value, span, strong in facts
        ],
        "sections": [
            {"title": SECTION_WORDS[name][1 - at], "text": content[name], "strong": name == "impression"}
            for name in SECTIONS
            if str(content[name]).strip()
        ],
        "fields_title": say("fields"),
        "fields": [{"label": label, "value": value} for label, value in sheet.fields],
        "addenda": [
            {
                "title": say("addendum"),
                "by": f"{one.by}  {_moment(one.at)}",
                "text": "\n".join(
                    str(whole(one.content)[name])
                    for name in ("findings", "impression", "advice")
                    if str(whole(one.content)[name]).strip()
                ),
            }
            for one in sheet.addenda
        ],
        "pictures": [{"file": name, "caption": caption} for name, caption in sheet.pictures],
        "pictures_first": sheet.modality in _PICTURES_FIRST,
        "picture_height": _HEIGHT.get(len(sheet.pictures), 62),
        "signers": [{"label": label, "value": value} for label, value in signers],
        "remarks": remarks,
        "qr": sheet.link,
        "qr_words": say("qr"),
        "missing_words": say("missing"),
    }


def _moment(at: datetime | None) -> str:
    return "" if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M")


def _age(age: str, at: int) -> str:
    word = {"Y": "year", "M": "month", "D": "day"}.get(age[-1:])
    return _WORDS[word][at].format(n=age[:-1]) if word else ""


def _side(side: str, at: int) -> str:
    return f" ({_SIDE[side][at]})" if side in _SIDE else ""
