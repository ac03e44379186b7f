"""Who works in the hospital of the demonstration, who comes that day, and what is found. Nobody of them lives."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from filmless.access.model import Role

#: account -> (roles, Chinese name, English name, title, wards, language)
STAFF: Final[Mapping[str, tuple[tuple[Role, ...], str, str, str, tuple[str, ...], str]]] = {
    "reg": ((Role.REG,), "李敏", "Li Min", "登记员", (), "zh"),
    "tri": ((Role.TRI,), "孙悦", "Sun Yue", "分诊护士", (), "zh"),
    "tec": ((Role.TEC,), "赵刚", "Zhao Gang", "主管技师", (), "zh"),
    "res": ((Role.RES,), "陈晨", "Chen Chen", "住院医师", (), "zh"),
    "att": ((Role.ATT,), "王海燕", "Wang Haiyan", "副主任医师", (), "zh"),
    "chf": ((Role.CHF,), "周建国", "Zhou Jianguo", "主任医师", (), "zh"),
    "smith": ((Role.ATT,), "", "Emma Smith", "Consultant", (), "en"),
    "cli": ((Role.CLI,), "刘洋", "Liu Yang", "神经外科医师", ("W-NS",), "zh"),
    "flm": ((Role.FLM,), "吴芳", "Wu Fang", "报告发放", (), "zh"),
    "qc": ((Role.QC,), "郑洁", "Zheng Jie", "质控员", (), "zh"),
    "pad": ((Role.PAD,), "马超", "Ma Chao", "影像数据管理员", (), "zh"),
    "adm": ((Role.ADM,), "何平", "He Ping", "系统管理员", (), "zh"),
    "sec": ((Role.SEC,), "林静", "Lin Jing", "隐私安全官", (), "zh"),
}

#: kind -> code -> (Chinese, English, more)
PLACES: Final[Mapping[str, Mapping[str, tuple[str, str, dict[str, object]]]]] = {
    "site": {"MAIN": ("中心院区", "Main hospital", {"more": {"prefix": "", "issuer": "DEMO"}})},
    "department": {
        "RAD": ("医学影像科", "Radiology", {"site": "MAIN", "more": {"imaging": True}}),
        "ER": ("急诊科", "Emergency", {"site": "MAIN"}),
        "NS": ("神经外科", "Neurosurgery", {"site": "MAIN"}),
        "RESP": ("呼吸内科", "Respiratory medicine", {"site": "MAIN"}),
        "SURG": ("普外科", "General surgery", {"site": "MAIN"}),
    },
    "ward": {
        "W-NS": ("神经外科病区", "Neurosurgery ward", {"site": "MAIN", "department": "NS"}),
        "W-RESP": ("呼吸内科病区", "Respiratory ward", {"site": "MAIN", "department": "RESP"}),
    },
    "room": {
        "R1": ("CT 1 室", "CT room 1", {"site": "MAIN", "department": "RAD"}),
        "R2": ("CT 2 室", "CT room 2", {"site": "MAIN", "department": "RAD"}),
        "R3": ("磁共振室", "MR room", {"site": "MAIN", "department": "RAD"}),
        "R4": ("放射 1 室", "X-ray room", {"site": "MAIN", "department": "RAD"}),
        "R5": ("超声 1 室", "Ultrasound room", {"site": "MAIN", "department": "RAD"}),
    },
}
#: code -> (Chinese, English, modality, room)
STATIONS: Final[Mapping[str, tuple[str, str, str, str]]] = {
    "CT1": ("CT 1 号机", "CT 1", "CT", "R1"),
    "CT2": ("CT 2 号机", "CT 2", "CT", "R2"),
    "MR1": ("磁共振 1 号机", "MR 1", "MR", "R3"),
    "DR1": ("DR 1 号机", "DR 1", "DX", "R4"),
    "MG1": ("乳腺机", "Mammography", "MG", "R4"),
    "US1": ("超声 1 号机", "Ultrasound 1", "US", "R5"),
}


@dataclass(frozen=True, slots=True)
class Visit:
    """One exam of the day. `until`: the state that it has at the end. `begin`: hours after midnight."""

    name: str
    pinyin: str
    sex: str
    birth: str
    procedure: str
    station: str
    until: str
    begin: float
    kind: str = "O"
    source: str = "RESP"
    ward: str = ""
    diagnosis: str = ""
    history: str = ""
    images: str = ""
    text: str = ""
    english: bool = False
    side: str = ""
    vip: bool = False


DAY: Final[tuple[Visit, ...]] = (
    # what was yesterday's is a prior today
    Visit("张伟", "Zhang^Wei", "M", "19580312", "CT-CHEST", "CT1", "E90", -16, diagnosis="咳嗽待查", images="chest", text="chest-normal"),
    Visit("张伟", "Zhang^Wei", "M", "19580312", "CT-CHEST", "CT1", "E60", 8.2, diagnosis="咳嗽、咯血", history="吸烟40年", images="nodule", text="nodule"),
    Visit("王芳", "Wang^Fang", "F", "19750826", "CT-HEAD", "CT1", "E90", 8.4, "I", "NS", "W-NS", "头痛3天", "高血压病史", "head", "head-normal"),
    Visit("", "", "M", "", "CT-HEAD", "CT2", "E75", 9.6, "L", "ER", diagnosis="外伤昏迷", images="bleeding", text="bleeding"),
    Visit("李秀英", "Li^Xiuying", "F", "19490203", "DR-CHEST", "DR1", "E90", 8.0, "O", "RESP", diagnosis="发热、胸痛", images="x-ray-effusion", text="effusion"),
    Visit("欧阳雪", "Ouyang^Xue", "F", "19880517", "MR-BRAIN", "MR1", "E80", 8.6, "O", "NS", diagnosis="头晕", images="brain", text="brain-normal"),
    Visit("单于明", "Chanyu^Ming", "M", "19910909", "CT-ABD", "CT2", "E30", 9.9, "O", "SURG", diagnosis="右下腹痛"),
    Visit("𠮷野龘", "Jiye^Da", "M", "19830101", "DR-CHEST", "DR1", "E60", 8.9, "O", "RESP", diagnosis="体检", images="x-ray", text="chest-film"),
    Visit("㐂子涵", "Xi^Zihan", "F", "20150606", "DR-CHEST", "DR1", "E70", 9.0, "O", "RESP", diagnosis="咳嗽", images="x-ray", text="chest-film"),
    Visit("刘洋洋", "Liu^Yangyang", "F", "19930711", "US-ABD", "US1", "E92", 8.1, "O", "SURG", diagnosis="右上腹痛", images="ultrasound", text="gallstones"),
    Visit("陈建军", "Chen^Jianjun", "M", "19660430", "US-ABD", "US1", "E75", 8.8, "I", "SURG", diagnosis="黄疸待查", images="ultrasound", text="gallstones"),
    Visit("Miller", "Miller^John", "M", "19710222", "CT-CHEST", "CT2", "E90", 7.8, "O", "RESP", diagnosis="Chronic cough", images="chest", text="chest-normal", english=True),
    Visit("Garcia", "Garcia^Ana", "F", "19850914", "MG-BOTH", "MG1", "E90", 8.3, "O", "SURG", diagnosis="Screening", images="mammogram", text="mammogram", english=True),
    Visit("Brown", "Brown^Alice", "F", "19540119", "CT-HEAD", "CT1", "E60", 9.3, "E", "ER", diagnosis="Fall, on anticoagulants", images="head", text="head-normal", english=True),
    Visit("黄丽", "Huang^Li", "F", "19790808", "MG-BOTH", "MG1", "E60", 9.1, "O", "SURG", diagnosis="乳腺结节复查", images="mammogram", text="mammogram"),
    Visit("赵铁柱", "Zhao^Tiezhu", "M", "19620615", "CT-CHEST-C", "CT2", "E50", 9.4, "I", "RESP", "W-RESP", "肺占位", images="effusion"),
    Visit("孙小梅", "Sun^Xiaomei", "F", "20011130", "US-THYROID", "US1", "E40", 9.7, "O", "SURG", diagnosis="甲状腺结节"),
    Visit("周杰", "Zhou^Jie", "M", "19960225", "MR-KNEE", "MR1", "E40", 9.8, "O", "SURG", diagnosis="膝关节外伤", side="L"),
    Visit("吴桂芳", "Wu^Guifang", "F", "19380518", "DR-HAND", "DR1", "E30", 9.9, "O", "ER", diagnosis="跌倒伤", side="R"),
    Visit("郑爽", "Zheng^Shuang", "F", "19900303", "CT-LSPINE", "CT1", "E30", 9.8, "O", "SURG", diagnosis="腰痛"),
    Visit("冯涛", "Feng^Tao", "M", "19870707", "CT-ABD-C", "CT2", "E20", 13.5, "O", "SURG", diagnosis="腹部肿块"),
    Visit("韩梅梅", "Han^Meimei", "F", "19951212", "MR-BRAIN-C", "MR1", "E20", 14.0, "O", "NS", diagnosis="垂体瘤复查"),
    Visit("Wilson", "Wilson^Robert", "M", "19480505", "CT-CHEST", "CT1", "E20", 14.5, "O", "RESP", diagnosis="Follow-up of nodule", english=True),
    Visit("沈浩", "Shen^Hao", "M", "19720909", "CT-ABD-C", "CT2", "E00", 9.5, "I", "SURG", diagnosis="胰腺炎"),
    Visit("杨柳", "Yang^Liu", "F", "19820202", "MR-LSPINE", "MR1", "E10", 9.2, "O", "SURG", diagnosis="腰腿痛"),
    Visit("朱红", "Zhu^Hong", "F", "19770101", "CT-ABD", "CT1", "E05", 9.0, "O", "SURG", diagnosis="腹胀"),
    Visit("秦朗", "Qin^Lang", "M", "19690404", "DR-KNEE", "DR1", "E97", 8.2, "O", "ER", diagnosis="术中透视", side="R", images="x-ray"),
    Visit("许晴", "Xu^Qing", "F", "19860606", "US-ABD", "US1", "X10", 8.5, "O", "SURG", diagnosis="腹痛"),
    Visit("何洁", "He^Jie", "F", "19980808", "US-ECHO", "US1", "X20", 5.0, "O", "RESP", diagnosis="心悸"),
    Visit("吕布", "Lyu^Bu", "M", "19810815", "MR-BRAIN", "MR1", "X30", 8.3, "O", "NS", diagnosis="头痛"),
    Visit("高远", "Gao^Yuan", "M", "19740707", "CT-CHEST", "CT1", "X40", 7.6, "O", "RESP", diagnosis="体检", images="chest"),
    Visit("李秀英", "Li^Xiuying", "F", "19490203", "CT-CHEST", "CT2", "E70", 9.2, "O", "RESP", diagnosis="胸腔积液", images="effusion", text="effusion-ct"),
)  # fmt: skip

#: key -> (findings, impression, result), Chinese and English
TEXTS: Final[Mapping[str, tuple[tuple[str, str], tuple[str, str], str]]] = {
    "chest-normal": (
        ("胸廓对称，双肺纹理清晰，双肺野未见明确实变及占位。气管、支气管通畅。纵隔未见肿大淋巴结。心影大小正常。双侧胸腔未见积液。",
         "胸部CT平扫未见明显异常。"),
        ("The lungs are clear. No consolidation or mass. The airways are patent. No enlarged mediastinal lymph nodes. "
         "The heart is of normal size. No pleural effusion.",
         "1. Normal CT of the chest."),
        "negative",
    ),
    "nodule": (
        ("左肺上叶见一类圆形结节，大小约14 mm × 13 mm，边缘光整。余肺野未见明确病灶。纵隔未见肿大淋巴结。",
         "左肺上叶结节，建议增强检查或短期复查。"),
        ("A round nodule of 14 x 13 mm in the left upper lobe with a smooth margin. The lungs are clear elsewhere.",
         "1. Nodule in the left upper lobe; contrast study or short-term follow-up is advised."),
        "positive",
    ),
    "head-normal": (
        ("脑实质密度未见明显异常，灰白质分界清楚。脑室系统大小形态正常，中线结构居中。颅骨未见骨折征象。", "颅脑CT平扫未见明显异常。"),
        ("No haemorrhage, mass effect or established infarct. The ventricles are normal and the midline is not displaced. "
         "No fracture.",
         "1. No acute intracranial abnormality."),
        "negative",
    ),
    "bleeding": (
        ("左侧基底节区见团块状高密度影，大小约33 mm × 38 mm，周围见低密度水肿带，邻近脑室受压。中线结构基本居中。", "左侧基底节区脑出血。"),
        ("A hyperdense lesion of 33 x 38 mm in the left basal ganglia with surrounding oedema.",
         "1. Acute haemorrhage in the left basal ganglia."),
        "positive",
    ),
    "effusion": (
        ("右侧肋膈角变钝，右下肺野透亮度减低。左肺纹理清晰。心影大小正常。", "右侧胸腔积液，建议CT进一步检查。"),
        ("Blunting of the right costophrenic angle.", "1. Right pleural effusion."),
        "positive",
    ),
    "effusion-ct": (
        ("右侧胸腔见弧形液体密度影，最厚处约35 mm，邻近肺组织受压。左侧胸腔未见积液。", "右侧胸腔积液。"),
        ("Fluid in the right pleural space of up to 35 mm.", "1. Right pleural effusion."),
        "positive",
    ),
    "brain-normal": (
        ("双侧大脑半球灰白质信号正常，脑室系统大小形态正常，中线结构居中。小脑、脑干未见异常信号。", "颅脑MR平扫未见明显异常。"),
        ("Normal signal of grey and white matter. The ventricles are normal.", "1. Normal MR of the brain."),
        "negative",
    ),
    "chest-film": (
        ("胸廓对称，双肺纹理清晰，心影大小正常，双侧膈面光整，肋膈角锐利。", "双肺心膈未见明显异常。"),
        ("The lungs are clear. The heart is of normal size.", "1. Normal chest X-ray."),
        "negative",
    ),
    "gallstones": (
        ("胆囊大小约68 mm × 32 mm，壁光滑，腔内见两枚强回声团，较大约9 mm，后伴声影，随体位移动。肝、胰、脾未见明显异常。", "胆囊结石。"),
        ("Two echogenic foci of up to 9 mm with acoustic shadows in the gall bladder, moving with the patient.",
         "1. Gallstones."),
        "positive",
    ),
    "mammogram": (
        ("双乳腺体呈不均匀致密型。右乳内侧见簇状细小钙化。未见明确肿块及结构扭曲。双侧腋下未见肿大淋巴结。", "右乳簇状钙化，BI-RADS 4A，建议活检。"),
        ("The breasts are heterogeneously dense. A cluster of fine calcifications in the right breast. No mass.",
         "1. Cluster of calcifications in the right breast, BI-RADS 4A; biopsy is advised."),
        "positive",
    ),
}  # fmt: skip
