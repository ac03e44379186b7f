"""An alarm in words, for people who read mail: English and Chinese, and nothing of patients."""

from collections.abc import Mapping
from typing import Any, Final

_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "disk": "The disk is nearly full: {size} free.",
        "disk!": "The disk is full: {size} free. Images are refused until there is room.",
        "database": "The database does not answer.",
        "device": "The device {about} does not answer.",
        "job": "Background jobs for {about} have failed: {count}.",
        "certificate": "The certificate {about} ends in {count} days.",
        "certificate!": "The certificate {about} has ended, or ends in {count} days.",
        "test": "This is a test. Nothing is wrong.",
        "raised": "Alarm",
        "again": "Still an alarm",
        "over": "Over",
        "tested": "Test",
        "since": "Since {since}.",
        "ended": "It stood since {since} and is over now.",
        "look": "Filmless shows more to those in charge, under the bell at the top of each page.",
    },
    "zh": {
        "disk": "磁盘空间不足:剩余 {size}。",
        "disk!": "磁盘已满:剩余 {size}。在腾出空间之前将拒绝接收图像。",
        "database": "数据库没有响应。",
        "device": "设备 {about} 没有响应。",
        "job": "发往 {about} 的后台任务失败:{count} 个。",
        "certificate": "证书 {about} 将在 {count} 天后到期。",
        "certificate!": "证书 {about} 已到期或将在 {count} 天后到期。",
        "test": "这是一次测试,一切正常。",
        "raised": "告警",
        "again": "告警仍在持续",
        "over": "已恢复",
        "tested": "测试",
        "since": "开始时间:{since}。",
        "ended": "自 {since} 起,现已恢复。",
        "look": "负责人可在 Filmless 每页顶部的铃铛中查看详情。",
    },
}


def subject(notice: Mapping[str, Any], language: str) -> str:
    """One line: what, where, which."""
    words = _WORDS[language]
    return f"[{notice['server']}] {words[notice['what']]}: {_sentence(notice, language)}"


def text(notice: Mapping[str, Any], language: str) -> str:
    """The whole message."""
    words = _WORDS[language]
    lines = [f"{words[notice['what']]}: {_sentence(notice, language)}"]
    if notice["since"]:
        lines.append(words["ended" if notice["what"] == "over" else "since"].format(since=notice["since"]))
    if notice["why"] != "test":
        lines += ["", words["look"]]
    return "\n".join(lines) + "\n"


def _sentence(notice: Mapping[str, Any], language: str) -> str:
    words = _WORDS[language]
    grave = f"{notice['why']}!"
    form = words[grave] if notice["grave"] and grave in words else words[notice["why"]]
    return form.format(about=notice["about"], count=notice["count"], size=_size(notice["count"]))


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size) < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
