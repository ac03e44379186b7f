"""The templates and phrases that a hospital starts with. One that is changed gets a revision of its own in the
database and counts from then on; one that is switched off there is gone.

A template's `text` is what a normal finding reads like: it is offered, and never stands in a report by itself.
"""

from collections.abc import Mapping
from typing import Any, Final

_REQUIRED: Final = ["findings", "impression"]


def _template(
    zh: str,
    en: str,
    modality: str,
    part: str,
    technique: tuple[str, str],
    findings: tuple[str, str],
    impression: tuple[str, str],
    fields: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    text = {
        language: {"technique": technique[at], "findings": findings[at], "impression": impression[at]}
        for at, language in enumerate(("zh", "en"))
    }
    return {
        "name_zh": zh,
        "name_en": en,
        "modality": modality,
        "body_part": part,
        "content": {"required": _REQUIRED, "text": text, "fields": fields or []},
    }


def _number(name: str, zh: str, en: str, unit: str) -> dict[str, Any]:
    return {"name": name, "label_zh": zh, "label_en": en, "kind": "number", "unit": unit}


def _choice(name: str, zh: str, en: str, *choices: tuple[str, str, str]) -> dict[str, Any]:
    options = [{"value": value, "label_zh": one, "label_en": other} for value, one, other in choices]
    return {"name": name, "label_zh": zh, "label_en": en, "kind": "choice", "unit": "", "choices": options}


TEMPLATES: Final[Mapping[str, dict[str, Any]]] = {
    "CT-HEAD": _template(
        "颅脑CT",
        "CT head",
        "CT",
        "HEAD",
        ("颅脑轴位平扫，骨窗及软组织窗观察。", "Axial non-contrast CT of the head, brain and bone windows."),
        (
            "脑实质密度未见明显异常，灰白质分界清楚。脑室系统形态、大小正常，脑沟、脑裂、脑池未见增宽或变窄。"
            "中线结构居中。颅骨骨质未见明确骨折征象。扫描范围内鼻窦、乳突气化良好。",
            "No abnormal attenuation of the brain parenchyma; grey-white differentiation is preserved. Ventricles, "
            "sulci and cisterns are of normal size. No midline shift. No skull fracture. Paranasal sinuses and mastoid "
            "air cells are clear.",
        ),
        ("颅脑CT平扫未见明显异常。", "No acute intracranial abnormality."),
        [
            _choice(
                "haemorrhage",
                "颅内出血",
                "Intracranial haemorrhage",
                ("none", "无", "none"),
                ("intracerebral", "脑实质", "intracerebral"),
                ("subdural", "硬膜下", "subdural"),
                ("epidural", "硬膜外", "epidural"),
                ("subarachnoid", "蛛网膜下腔", "subarachnoid"),
            ),
            _number("midline_shift", "中线移位", "Midline shift", "mm"),
            _number("aspects", "ASPECTS评分", "ASPECTS", ""),
        ],
    ),
    "CT-CHEST": _template(
        "胸部CT",
        "CT chest",
        "CT",
        "CHEST",
        ("胸部轴位平扫，肺窗及纵隔窗观察。", "Axial CT of the chest, lung and mediastinal windows."),
        (
            "胸廓对称。双肺纹理清晰，肺实质内未见明确实变、结节及肿块影。气管及主要支气管通畅。"
            "纵隔及双侧肺门未见肿大淋巴结。心影不大，大血管形态正常。双侧胸腔未见积液，胸膜未见增厚。",
            "Lungs are clear without consolidation, nodule or mass. Trachea and main bronchi are patent. No enlarged "
            "mediastinal or hilar lymph nodes. Heart and great vessels are of normal size. No pleural effusion.",
        ),
        ("胸部CT平扫未见明显异常。", "No significant abnormality of the chest."),
        [
            _number("nodule", "最大结节", "Largest nodule", "mm"),
            _choice(
                "lung_rads",
                "Lung-RADS",
                "Lung-RADS",
                *((one, one, one) for one in ("1", "2", "3", "4A", "4B", "4X")),
            ),
        ],
    ),
    "CT-ABD": _template(
        "腹部CT",
        "CT abdomen",
        "CT",
        "ABDOMEN",
        ("腹部轴位扫描，冠状位重建。", "Axial CT of the abdomen with coronal reformations."),
        (
            "肝脏形态、大小正常，肝实质密度均匀，肝内外胆管未见扩张。胆囊不大，壁不厚，腔内未见阳性结石。"
            "脾脏、胰腺形态、密度未见异常。双肾形态正常，未见结石及积水。腹膜后未见肿大淋巴结。未见腹水及游离气体。",
            "Liver is of normal size and homogeneous; bile ducts are not dilated. Gallbladder, spleen and pancreas are "
            "unremarkable. Kidneys without stones or hydronephrosis. No enlarged retroperitoneal lymph nodes. No free "
            "fluid or free air.",
        ),
        ("腹部CT未见明显异常。", "No significant abnormality of the abdomen."),
    ),
    "MR-BRAIN": _template(
        "颅脑MR",
        "MR brain",
        "MR",
        "HEAD",
        (
            "颅脑MR：T1WI、T2WI、FLAIR、DWI轴位，T1WI矢状位。",
            "MR of the brain: axial T1, T2, FLAIR and DWI, sagittal T1.",
        ),
        (
            "脑实质内未见异常信号影，DWI未见弥散受限。脑室、脑池、脑沟形态正常。中线结构居中。"
            "垂体、脑干、小脑未见异常。主要血管流空信号存在。",
            "No abnormal signal of the brain parenchyma, no restricted diffusion. Ventricles, cisterns and sulci are "
            "normal. No midline shift. Pituitary, brainstem and cerebellum are unremarkable. Major flow voids are "
            "present.",
        ),
        ("颅脑MR平扫未见明显异常。", "Normal MR of the brain."),
        [_number("lesion", "最大病灶", "Largest lesion", "mm")],
    ),
    "US-ABD": _template(
        "腹部超声",
        "Abdominal ultrasound",
        "US",
        "ABDOMEN",
        ("经腹常规超声检查。", "Transabdominal ultrasound."),
        (
            "肝脏大小形态正常，包膜光滑，实质回声均匀，肝内管道结构清晰，门静脉内径正常。"
            "胆囊大小正常，壁光滑，腔内未见异常回声，胆总管不扩张。胰腺显示部分形态回声正常。"
            "脾脏不大，回声均匀。双肾大小形态正常，集合系统未见分离。",
            "Liver of normal size and echogenicity, smooth surface, portal vein of normal calibre. Gallbladder without "
            "stones, common bile duct not dilated. Visible pancreas normal. Spleen not enlarged. Kidneys without "
            "hydronephrosis.",
        ),
        (
            "肝、胆、胰、脾、双肾超声未见明显异常。",
            "Normal ultrasound of liver, gallbladder, pancreas, spleen and kidneys.",
        ),
        [
            _number("cbd", "胆总管内径", "Common bile duct", "mm"),
            _number("portal_vein", "门静脉内径", "Portal vein", "mm"),
            _number("spleen", "脾脏厚度", "Spleen thickness", "mm"),
        ],
    ),
    "DR-CHEST": _template(
        "胸部X线",
        "Chest X-ray",
        "DX",
        "CHEST",
        ("胸部正侧位。", "Chest, two views."),
        (
            "胸廓对称，气管居中。双肺纹理清晰，肺野内未见明确实变影。双侧肺门影不大。"
            "心影大小、形态正常。双侧膈面光整，肋膈角锐利。所见骨质未见明显异常。",
            "Trachea in the midline. Lungs are clear. Hila are not enlarged. Heart is of normal size and shape. "
            "Diaphragm smooth, costophrenic angles sharp. No bony abnormality.",
        ),
        ("心、肺、膈未见明显异常。", "No acute cardiopulmonary abnormality."),
    ),
    "GENERAL": _template("通用", "General", "", "", ("", ""), ("", ""), ("", "")),
}


def _phrase(
    abbreviation: str, section: str, modality: str, part: str, zh: str, en: str
) -> tuple[str, dict[str, Any]]:
    return abbreviation.upper(), {
        "name_zh": zh[:30],
        "name_en": en[:60],
        "modality": modality,
        "body_part": part,
        "content": {"abbreviation": abbreviation, "section": section, "text": {"zh": zh, "en": en}},
    }


PHRASES: Final[Mapping[str, dict[str, Any]]] = dict(
    (
        _phrase(
            "bj",
            "comparison",
            "",
            "",
            "与前次检查对比，无明显变化。",
            "Unchanged from the previous examination.",
        ),
        _phrase(
            "wqp", "comparison", "", "", "无既往影像可供对比。", "No previous examination for comparison."
        ),
        _phrase("fc", "advice", "", "", "建议定期复查。", "Follow-up is recommended."),
        _phrase("lc", "advice", "", "", "请结合临床。", "Correlate with clinical findings."),
        _phrase(
            "zq",
            "advice",
            "",
            "",
            "建议增强扫描进一步检查。",
            "Contrast-enhanced examination is recommended.",
        ),
        _phrase(
            "qxg",
            "findings",
            "CT",
            "HEAD",
            "双侧基底节区可见斑点状低密度影，边界欠清。",
            "Punctate hypodensities in both basal ganglia with indistinct margins.",
        ),
        _phrase(
            "ncx",
            "findings",
            "CT",
            "HEAD",
            "脑实质内可见团片状高密度影，周围见低密度水肿带。",
            "Hyperdense intracerebral haematoma with surrounding oedema.",
        ),
        _phrase(
            "fjj",
            "findings",
            "CT",
            "CHEST",
            "肺内可见小结节影，边界清楚。",
            "Small, well-defined pulmonary nodule.",
        ),
        _phrase(
            "gnz", "findings", "", "ABDOMEN", "肝内可见类圆形囊性灶，边界清楚。", "Well-defined hepatic cyst."
        ),
        _phrase("zfg", "impression", "US", "ABDOMEN", "脂肪肝。", "Fatty liver."),
    )
)
