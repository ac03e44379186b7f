"""The words of persons, and what their attributes must be like. Pure: no I/O."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from filmless.kit import clock
from filmless.kit.errors import Refused
from filmless.patients import names, readings

#: kinds of identifiers (HL7 table 0203) -> what they are called, in English and Chinese
KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "MR": ("Patient ID", "患者号"),
    "VN": ("Visit number", "门诊号"),
    "AN": ("Admission number", "住院号"),
    "NI": ("Identity card", "身份证号"),
    "PPN": ("Passport", "护照号"),
    "HC": ("Insurance card", "医保卡号"),
    "TMP": ("Temporary number", "临时号"),
    "EXT": ("Number of another system", "外部编号"),
}
#: documents that tell who somebody is
DOCUMENTS: Final = ("NI", "PPN", "HC")
#: attributes that images tell: where one of these changes, so does what is told of the images
DEMOGRAPHIC: Final = frozenset({"name_ideographic", "name_alphabetic", "name_phonetic", "sex", "birth_date"})
#: what of a person may be changed; IDs are changed by department/identity
CHANGEABLE: Final = (
    *("name_ideographic", "name_alphabetic", "name_phonetic", "sex", "birth_date"),
    *("phone", "address", "vip", "deceased", "unknown"),
)

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\\=]")


@dataclass(frozen=True, slots=True)
class Identifier:
    """A number by which a person is known. `authority`: who gave it, "" ours."""

    kind: str
    value: str
    authority: str = ""
    active: bool = True
    id: int = 0
    given_at: datetime | None = None
    until: datetime | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class NewPerson:
    """Somebody to be made known. A name in one group is enough: "王小东" or "SMITH^JOHN"."""

    name_ideographic: str = ""
    name_alphabetic: str = ""
    name_phonetic: str = ""
    #: "M", "F", "O" or ""
    sex: str = ""
    #: YYYYMMDD, YYYYMM, YYYY or ""
    birth_date: str = ""
    phone: str = ""
    address: str = ""
    vip: bool = False
    deceased: bool = False
    unknown: bool = False
    #: "": one is made ("P" and a number)
    patient_id: str = ""
    issuer: str = ""
    identifiers: tuple[Identifier, ...] = ()
    #: "registration", "order", "import", ...
    source: str = "registration"


@dataclass(frozen=True, slots=True)
class Person:
    """A row of `persons` with its identifiers, the active ones first."""

    id: int
    patient_id: str
    issuer: str
    name_ideographic: str
    name_alphabetic: str
    name_phonetic: str
    sex: str
    birth_date: str
    phone: str
    address: str
    vip: bool
    deceased: bool
    unknown: bool
    status: str
    merged_into: int | None
    changes: int
    created_at: datetime
    created_by: str
    changed_at: datetime
    changed_by: str
    identifiers: tuple[Identifier, ...] = field(default=())

    def identifier(self, kind: str) -> str:
        """The value of the newest active identifier of a kind, "" where there is none."""
        found = [one for one in self.identifiers if one.kind == kind and one.active]
        return max(found, key=lambda one: one.id).value if found else ""


def name_of(person: Person | NewPerson) -> str:
    """The name as DICOM writes it: "Alphabetic=Ideographic=Phonetic" without empty groups at the end (PS3.5 6.2)."""
    groups = (person.name_alphabetic, person.name_ideographic, person.name_phonetic)
    return "=".join(groups).rstrip("=")


def shown(person: Person | NewPerson) -> str:
    """The name as a person reads it: 王小东, or SMITH JOHN where there is none in Chinese."""
    return spoken(person.name_ideographic, person.name_alphabetic)


def spoken(ideographic: str, alphabetic: str) -> str:
    """The same of two groups of a name."""
    if ideographic:
        return ideographic.replace("^", "")
    return " ".join(part for part in alphabetic.split("^") if part)


def told_id(person: Person) -> str:
    """Its patient ID as the audit trail writes it."""
    return f"{person.patient_id}^^^{person.issuer}" if person.issuer else person.patient_id


def columns(new: NewPerson) -> dict[str, Any]:
    """The columns that `new` tells, made fit: a name in Chinese without letters gets its likeliest reading.

    Raises Refused (codes "no-name", "bad-value").
    """
    ideographic = readings.split(_group(new.name_ideographic))
    alphabetic = _group(new.name_alphabetic)
    if ideographic.isascii() and not alphabetic:
        # written into the other field
        ideographic, alphabetic = "", ideographic
    if ideographic and not alphabetic:
        found = readings.suggestions(ideographic)
        alphabetic = found[0].alphabetic[:64] if found else ""
    if not ideographic and not alphabetic:
        raise Refused("A name is needed.", code="no-name")
    return {
        "name_ideographic": ideographic,
        "name_alphabetic": alphabetic,
        "name_phonetic": _group(new.name_phonetic),
        **keys(ideographic, alphabetic),
        "sex": _sex(new.sex),
        "birth_date": _birth_date(new.birth_date),
        "phone": line(new.phone, 40, "phone number"),
        "address": line(new.address, 300, "address"),
        "vip": new.vip,
        "deceased": new.deceased,
        "unknown": new.unknown,
    }


def keys(ideographic: str, alphabetic: str) -> dict[str, str]:
    """What a name is searched by: its groups without what parts their components, and initials."""
    initials = names.initials(alphabetic)
    return {
        "key_ideographic": together(ideographic),
        "key_alphabetic": together(alphabetic),
        "initials": initials[0][2:34] if initials else "",
    }


def together(group: str) -> str:
    """A group of a name in its form for comparing, run together; ü, v and yu of pinyin are one."""
    begun = names.beginnings(group)
    return begun[0][2:202] if begun else ""


def line(text: str, most: int, what: str) -> str:
    """`text` without spaces around it. Raises Refused (code "bad-value")."""
    text = text.strip()
    if len(text) > most or re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", text):
        raise Refused(f"The {what} has at most {most} characters, on one line.", code="bad-value")
    return text


def identifier(one: Identifier) -> Identifier:
    """The identifier made fit. Raises Refused (code "bad-value")."""
    if one.kind not in KINDS:
        raise Refused(f"The kind of an identifier is one of {', '.join(KINDS)}.", code="bad-value")
    value = line(one.value, 64, "number")
    if not value or _CONTROL.search(value):
        raise Refused("The number is empty, or holds a character that it may not.", code="bad-value")
    if one.kind in ("NI", "PPN"):
        value = value.upper().replace(" ", "")
    return Identifier(one.kind, value, line(one.authority, 64, "name of who gave it"), source=one.source)


def _group(text: str) -> str:
    """A component group (PS3.5 6.2: at most 64 characters, no "=" and no backslash)."""
    text = text.strip().rstrip("^").strip()
    if len(text) > 64 or _CONTROL.search(text) or text.count("^") > 4:
        raise Refused("A name has at most 64 characters, without = and \\.", code="bad-value")
    return text


def _sex(text: str) -> str:
    if text not in ("", "M", "F", "O"):
        raise Refused("The sex is M, F, O or left out.", code="bad-value")
    return text


def _birth_date(text: str) -> str:
    text = text.strip().replace("-", "")
    if not text:
        return ""
    if not re.fullmatch(r"[0-9]{4}([0-9]{2}([0-9]{2})?)?", text):
        raise Refused("The birth date is a year, a month or a day: 19800131.", code="bad-value")
    try:
        born = date(int(text[:4]), int(text[4:6] or 1), int(text[6:] or 1))
    except ValueError:
        raise Refused("There is no such day.", code="bad-value") from None
    # a day more: it is tomorrow somewhere already
    if born.year < 1850 or (born - clock.now().date()).days > 1:
        raise Refused("Nobody was born then.", code="bad-value")
    return text
