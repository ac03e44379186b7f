"""The words that a department starts with: classes of exams, reasons, and procedures. All of it may be changed."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Engine, insert, select

from filmless.db.work import writing
from filmless.department.tables import words
from filmless.kit import clock

#: letter -> (Chinese, English, what is kept). needs: "VN" visit number, "AN" admission number; identity and
#: identity_exam: whether who it is must be checked at the desk and before the exam ("required") or is only kept
CLASSES: Final[Mapping[str, tuple[str, str, dict[str, Any]]]] = {
    "M": (
        "门诊",
        "outpatient",
        {
            "needs": "VN",
            "identity": "required",
            "identity_exam": "recorded",
            "patient_class": "O",
            "order": 30,
        },
    ),
    "Z": (
        "住院",
        "inpatient",
        {
            "needs": "AN",
            "identity": "recorded",
            "identity_exam": "recorded",
            "patient_class": "I",
            "order": 20,
        },
    ),
    "L": (
        "绿色通道",
        "green channel",
        {
            "needs": "",
            "identity": "none",
            "identity_exam": "none",
            "patient_class": "E",
            "order": 10,
            "stat": True,
            "green": True,
        },
    ),
}

#: kind -> code -> (Chinese, English)
REASONS: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {
    "reason-cancel": {
        "PATIENT": ("患者要求取消", "the patient does not want it"),
        "CLINICIAN": ("临床撤回申请", "withdrawn by the clinician"),
        "DUPLICATE": ("重复申请", "ordered twice"),
        "NOT-SUITED": ("不适合检查", "not suited to the exam"),
        "EQUIPMENT": ("设备故障", "the machine is out of order"),
    },
    "reason-hold": {
        "PREPARATION": ("准备不足", "not prepared"),
        "LAB": ("待化验结果", "waits for laboratory results"),
        "PAYMENT": ("待缴费", "not paid"),
        "CONDITION": ("病情不稳定", "condition not stable"),
        "CLARIFY": ("申请待核实", "the request is unclear"),
    },
    "reason-override": {
        "KNOWN": ("本人已由科室确认", "known to the department"),
        "NO-DOCUMENT": ("未带证件", "without a document"),
        "EMERGENCY": ("急诊抢救", "emergency"),
        "CHILD": ("儿童无证件", "a child without a document"),
    },
    "reason-reject": {
        "POSITIONING": ("摆位不当", "positioning"),
        "MOTION": ("运动伪影", "motion"),
        "ARTEFACT": ("伪影", "artefact"),
        "EXPOSURE": ("曝光不当", "exposure"),
        "WRONG-PART": ("部位错误", "wrong part or side"),
        "WRONG-PERSON": ("患者错误", "wrong patient"),
        "EQUIPMENT": ("设备故障", "equipment"),
        "FOREIGN": ("异物", "foreign object"),
    },
    "reason-void": {
        "SUBSTITUTION": ("冒名顶替", "another person was examined"),
        "WRONG-PERSON": ("患者错误", "wrong patient"),
        "DUPLICATE": ("重复登记", "registered twice"),
        "TEST": ("测试数据", "a test"),
    },
    "reason-stop": {
        "110501": ("设备故障", "equipment failure"),
        "110503": ("对比剂过敏", "allergic to media or contrast"),
        "110505": ("患者拒绝", "patient refused to continue"),
        "110507": ("患者未到", "patient did not arrive"),
        "110508": ("患者可能妊娠", "patient pregnant"),
        "110510": ("重复申请", "duplicate order"),
        "110512": ("侧别错误", "wrong side"),
        "110513": ("未说明原因", "for unspecified reason"),
        "110514": ("选错工作列表条目", "wrong worklist entry chosen"),
    },
}

_PREPARATIONS: Final = {
    "": ("", ""),
    "fast4": ("空腹4小时", "nothing to eat for 4 h"),
    "fast6": ("空腹6小时", "nothing to eat for 6 h"),
    "fast8": ("空腹8小时", "nothing to eat for 8 h"),
    "metal": ("去除金属物品", "no metal"),
    "chest": ("去除胸前金属物", "no metal on the chest"),
    "implants": ("去除金属物品，体内植入物须告知", "no metal; tell of implants"),
}

#: code -> (Chinese, English, modality, Body Part Examined, minutes, sides, contrast, preparation)
_PROCEDURES: Final[tuple[tuple[str, str, str, str, str, int, bool, bool, str], ...]] = (
    ("CT-HEAD", "颅脑CT平扫", "CT head", "CT", "HEAD", 10, False, False, ""),
    ("CT-HEAD-C", "颅脑CT增强", "CT head with contrast", "CT", "HEAD", 20, False, True, "fast4"),
    ("CT-CHEST", "胸部CT平扫", "CT chest", "CT", "CHEST", 10, False, False, "chest"),
    ("CT-CHEST-C", "胸部CT增强", "CT chest with contrast", "CT", "CHEST", 20, False, True, "fast4"),
    ("CT-ABD", "腹部CT平扫", "CT abdomen", "CT", "ABDOMEN", 15, False, False, "fast6"),
    ("CT-ABD-C", "腹部CT增强", "CT abdomen with contrast", "CT", "ABDOMEN", 30, False, True, "fast6"),
    ("CT-LSPINE", "腰椎CT平扫", "CT lumbar spine", "CT", "LSPINE", 10, False, False, ""),
    ("MR-BRAIN", "颅脑MR平扫", "MR brain", "MR", "HEAD", 25, False, False, "implants"),
    ("MR-BRAIN-C", "颅脑MR增强", "MR brain with contrast", "MR", "HEAD", 35, False, True, "implants"),
    ("MR-KNEE", "膝关节MR平扫", "MR knee", "MR", "KNEE", 25, True, False, "metal"),
    ("MR-LSPINE", "腰椎MR平扫", "MR lumbar spine", "MR", "LSPINE", 25, False, False, "metal"),
    ("DR-CHEST", "胸部正侧位片", "Chest X-ray, two views", "DX", "CHEST", 5, False, False, ""),
    ("DR-HAND", "手正斜位片", "Hand X-ray, two views", "DX", "HAND", 5, True, False, ""),
    ("DR-KNEE", "膝关节正侧位片", "Knee X-ray, two views", "DX", "KNEE", 5, True, False, ""),
    ("MG-BOTH", "双乳钼靶", "Mammography, both breasts", "MG", "BREAST", 15, False, False, ""),
    ("US-ABD", "腹部超声", "Abdominal ultrasound", "US", "ABDOMEN", 15, False, False, "fast8"),
    ("US-THYROID", "甲状腺超声", "Thyroid ultrasound", "US", "THYROID", 10, False, False, ""),
    ("US-OB", "产科超声", "Obstetric ultrasound", "US", "UTERUS", 20, False, False, ""),
    ("US-ECHO", "心脏超声", "Echocardiography", "US", "HEART", 25, False, False, ""),
)  # fmt: skip


def procedures() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """code -> (Chinese, English, what is kept)."""
    return {
        code: (
            zh,
            en,
            {
                "modality": modality,
                "body_part": part,
                "minutes": minutes,
                "sides": sides,
                "contrast": contrast,
                "preparation_zh": _PREPARATIONS[preparation][0],
                "preparation_en": _PREPARATIONS[preparation][1],
                "template": "",
                "double_sign": True,
                "fee": "",
                "weight": 1.0,
            },
        )
        for code, zh, en, modality, part, minutes, sides, contrast, preparation in _PROCEDURES
    }


def provide(connection: Connection) -> bool:
    """Write the first words where there are none at all; returns whether it did."""
    if connection.execute(select(words.c.id).limit(1)).first() is not None:
        return False
    rows: list[dict[str, Any]] = []
    now = clock.now()

    def add(kind: str, code: str, zh: str, en: str, more: Mapping[str, Any]) -> None:
        rows.append(
            {
                "kind": kind,
                "code": code,
                "name_zh": zh,
                "name_en": en,
                "more": dict(more),
                "active": True,
                "changed_at": now,
            }
        )

    for code, (zh, en, more) in CLASSES.items():
        add("exam-class", code, zh, en, {"date": "yymmdd", "digits": 4, **more})
    for code, (zh, en, more) in procedures().items():
        add("procedure", code, zh, en, more)
    for kind, codes in REASONS.items():
        for code, (zh, en) in codes.items():
            add(kind, code, zh, en, {})
    connection.execute(insert(words), rows)
    return True


def first_words(engine: Engine) -> None:
    """At the start of a server: what it needs to register anybody."""
    with writing(engine) as connection:
        provide(connection)
