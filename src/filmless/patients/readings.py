"""Chinese names in Latin letters: Hanyu Pinyin with the readings that family names have.

ü is written YU, as in passports (GB/T 28039-2011). What is suggested is for a person to choose from: only who bears a
name knows how it is read.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, product
from typing import Final


def _table(text: str) -> dict[str, tuple[str, ...]]:
    return {name: tuple(readings.split("/")) for name, readings in (pair.split(":") for pair in text.split())}


#: family names that are read otherwise than the character mostly is; the more frequent reading first
_FAMILY: Final = _table(
    "曾:zeng 单:shan 單:shan 解:xie 仇:qiu 区:ou 區:ou 任:ren 朴:piao/pu 盖:ge/gai 蓋:ge/gai 查:zha 华:hua "
    "華:hua 冼:xian 洗:xian 缪:miao 繆:miao 翟:zhai/di 宓:mi/fu 乐:yue/le 樂:yue/le 员:yun 員:yun 贠:yun "
    "秘:bi 种:chong 繁:po 召:shao 折:she 燕:yan 那:na 覃:qin/tan 柏:bai/bo 葛:ge 隗:wei/kui 哈:ha 宁:ning "
    "祭:zhai 郇:xun/huan 郗:xi/chi 牟:mou/mu 冯:feng 车:che 車:che 能:nai 都:du 相:xiang 卜:bu 晁:chao "
    "谌:chen/shen 諶:chen/shen 阚:kan 訾:zi 撒:sa 贾:jia 賈:jia 曲:qu 乜:nie 尉:wei 俞:yu 於:yu 藉:ji "
    "炅:gui 盛:sheng 石:shi 应:ying 應:ying 教:jiao 宿:su 莘:shen/xin 从:cong 從:cong 褚:chu 万:wan 萬:wan "
    "沈:shen 瞿:qu 过:guo 長:zhang 幺:yao 么:yao 咎:jiu 强:qiang 會:gui 会:gui/hui 句:gou 勾:gou 角:jue "
    "降:jiang 弥:mi 眭:sui 镡:tan/xin 佘:she 厍:she 仉:zhang 亓:qi 逯:lu 黑:he/hei 洪:hong 行:xing 令:ling "
    "還:huan 适:kuo 奇:qi 南:nan 丁:ding 王:wang 石:shi 艾:ai 红:hong 祝:zhu 余:yu 肖:xiao 校:xiao 澹:tan "
    "曹:cao 谷:gu 殷:yin 尹:yin 纪:ji 紀:ji"
)
#: family names of two characters
_COMPOUND: Final[Mapping[str, str]] = {
    name: readings[0].replace("_", " ")
    for name, readings in _table(
        "欧阳:ou_yang 歐陽:ou_yang 司马:si_ma 司馬:si_ma 上官:shang_guan 诸葛:zhu_ge 諸葛:zhu_ge "
        "尉迟:yu_chi 尉遲:yu_chi 万俟:mo_qi 长孙:zhang_sun 長孫:zhang_sun 澹台:tan_tai 令狐:ling_hu "
        "皇甫:huang_fu 慕容:mu_rong 宇文:yu_wen 司徒:si_tu 司空:si_kong 夏侯:xia_hou 东方:dong_fang "
        "東方:dong_fang 公孙:gong_sun 公孫:gong_sun 轩辕:xuan_yuan 鲜于:xian_yu 鮮于:xian_yu 呼延:hu_yan "
        "端木:duan_mu 南宫:nan_gong 西门:xi_men 西門:xi_men 独孤:du_gu 申屠:shen_tu 濮阳:pu_yang "
        "淳于:chun_yu 太史:tai_shi 闻人:wen_ren 钟离:zhong_li 宗政:zong_zheng 赫连:he_lian 公冶:gong_ye "
        "单于:chan_yu 單于:chan_yu "
        "仲孙:zhong_sun 闾丘:lyu_qiu 百里:bai_li 谷梁:gu_liang 东郭:dong_guo 拓跋:tuo_ba 乐正:yue_zheng "
        "漆雕:qi_diao 第五:di_wu 纳兰:na_lan 完颜:wan_yan 贺兰:he_lan 左丘:zuo_qiu 羊舌:yang_she "
        "巫马:wu_ma 公羊:gong_yang 亓官:qi_guan 司寇:si_kou 段干:duan_gan"
    ).items()
}
#: characters of names that pypinyin does not know
_FURTHER: Final = _table("㐂:xi 𠮷:ji 𣲗:wei 𬭎:hong 𬍛:wei")
#: what parts the names of those who have no family name before the given one: 阿卜杜拉·买买提
_DOTS: Final = "·•‧・"
_MOST: Final = 8


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a name. `alphabetic`: "OUYANG^XIAODONG"; `unread`: characters whose reading is not known, which
    are left out of it."""

    alphabetic: str
    unread: str = ""


def split(name: str) -> str:
    """A Chinese name with its family name parted from the rest: "欧阳^晓东" of "欧阳晓东".

    What is parted already ("王^小东"), has spaces or dots, or is not Chinese stays one, spaces around it taken off.
    """
    name = name.strip()
    if len(name) < 2 or "^" in name or not all(_is_han(character) for character in name):
        return name
    length = 2 if len(name) > 2 and name[:2] in _COMPOUND else 1
    return f"{name[:length]}^{name[length:]}"


def suggestions(name: str) -> list[Reading]:
    """Ways to write the ideographic name with Latin letters, the likeliest first, at most 8; none where nothing of it
    is read. A name in Latin letters is its own reading.

    What begins like a family name of two characters may also be one of one character, and the other way round: both
    are offered.
    """
    given = name.strip()
    ways = _ways(split(given))
    if "^" not in given and given[:2] in _COMPOUND:
        ways += _ways(f"{given[0]}^{given[1:]}") if len(given) > 2 else _ways(f"{given}^")
    return list(dict.fromkeys(ways))[:_MOST]


def _ways(name: str) -> list[Reading]:
    if not name:
        return []
    if not any(_is_han(character) for character in name):
        return [Reading(name.upper())] if name.isascii() else []
    family, _, given = name.partition("^")
    unread = "".join(character for character in name if _is_han(character) and not _readings(character))
    ways = [
        Reading(f"{one}^{two}".strip("^").upper(), unread)
        for one, two in islice(product(_families(family), _givens(given)), _MOST)
    ]
    return [way for way in dict.fromkeys(ways) if way.alphabetic]


def _families(family: str) -> list[str]:
    if family in _COMPOUND:
        return [_COMPOUND[family].replace(" ", "")]
    if family in _FAMILY:
        return list(_FAMILY[family])
    if len(family) == 1:
        return list(_readings(family)[:2]) or [""]
    return _givens(family)


def _givens(given: str) -> list[str]:
    """Readings of characters run together, the usual one of each first, then with one of them read otherwise."""
    each = [
        _readings(character) or ("",) if _is_han(character) else (_plain(character),) for character in given
    ]
    usual = [readings[0] for readings in each]
    found = ["".join(usual)]
    for place, readings in enumerate(each):
        found += ["".join([*usual[:place], other, *usual[place + 1 :]]) for other in readings[1:3]]
    return list(dict.fromkeys(one.strip() for one in found))


def _plain(character: str) -> str:
    if character in _DOTS or character.isspace():
        return " "
    return character if character.isascii() and character.isprintable() else ""


def _is_han(character: str) -> bool:
    code = ord(character)
    return (
        0x3400 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or 0x20000 <= code <= 0x3FFFF or code == 0x3007
    )


@lru_cache(4096)
def _readings(character: str) -> tuple[str, ...]:
    """Toneless, lower case, the usual one first; empty where none is known."""
    if character in _FURTHER:
        return _FURTHER[character]
    # its 47,000 phrases take 45 MB and name nobody
    os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")
    from pypinyin import Style, pinyin

    found = pinyin(character, style=Style.NORMAL, heteronym=True, errors="ignore", v_to_u=False)
    plain = [one.replace("ü", "v").replace("v", "yu") for one in (found[0] if found else [])]
    return tuple(dict.fromkeys(one for one in plain if one.isascii() and one.isalpha()))
