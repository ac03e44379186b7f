"""The pages of share links as HTML: complete without scripts, in Chinese or English. All values are escaped.

One script tells moments as the visitor's clock does; only the browser knows where that is.
"""

from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256
from html import escape
from typing import Final, Literal

from filmless.access.shares import ShareLink
from filmless.exchange.share_view import PAGE, SharedImages, SharedSeries, SharedStudy

Language = Literal["zh", "en"]

_WORDS: Final[dict[str, dict[Language, str]]] = {
    "title": {"en": "Shared examination", "zh": "共享检查"},
    "nothing": {"en": "This link is not open.", "zh": "此链接无法打开。"},
    "why": {
        "en": "It may have ended or been withdrawn, or it is not complete. Ask whoever sent it to you.",
        "zh": "链接可能已到期、已撤回或不完整。请联系发送者。",
    },
    "asks": {"en": "This examination is protected by a password.", "zh": "此检查受密码保护。"},
    "password": {"en": "Password", "zh": "密码"},
    "open": {"en": "Open", "zh": "打开"},
    "wrong": {"en": "That is not the password.", "zh": "密码不正确。"},
    "resting": {
        "en": "There were too many wrong passwords. Try again in a quarter of an hour.",
        "zh": "错误次数过多，请一刻钟后再试。",
    },
    "patient": {"en": "Patient", "zh": "患者"},
    "date": {"en": "Date", "zh": "日期"},
    "examination": {"en": "Examination", "zh": "检查"},
    "image": {"en": "image", "zh": "幅图像"},
    "images": {"en": "images", "zh": "幅图像"},
    "document": {"en": "document", "zh": "份文档"},
    "documents": {"en": "documents", "zh": "份文档"},
    "frames": {"en": "frames", "zh": "帧"},
    "download": {"en": "Download (ZIP, DICOM)", "zh": "下载（ZIP，DICOM）"},
    "until": {"en": "Open until", "zh": "有效期至"},
    "back": {"en": "All series", "zh": "全部序列"},
    "more": {"en": "Next images", "zh": "后续图像"},
    "before": {"en": "Images before", "zh": "前面的图像"},
    "not_for_diagnosis": {
        "en": "Pictures for viewing, not for diagnosis.",
        "zh": "图像仅供浏览，不用于诊断。",
    },
    "series": {"en": "Series", "zh": "序列"},
}
#: Modality (0008,0060) of what is written of images
_WRITTEN: Final = ("DOC", "SR", "KO", "PR")
_OTHER: Final[dict[Language, tuple[Language, str]]] = {"zh": ("en", "English"), "en": ("zh", "中文")}

STYLE: Final = """\
:root { color-scheme: light dark; --line: #8886; --soft: #8881; --strong: #1667b7; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; line-height: 1.5;
  font-family: system-ui, -apple-system, "Segoe UI", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
header { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: baseline; justify-content: space-between;
  border-bottom: 1px solid var(--line); margin-bottom: 1rem; }
h1 { font-size: 1.25rem; margin: .25rem 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; }
dt { opacity: .75; }
dd { margin: 0; overflow-wrap: anywhere; }
ul { list-style: none; padding: 0; display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); }
li > a { display: block; border: 1px solid var(--line); border-radius: .5rem; overflow: hidden; color: inherit;
  text-decoration: none; height: 100%; }
li > a:hover, li > a:focus-visible { outline: 2px solid var(--strong); }
li img { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; background: #000; color: #ccc; }
li span { display: block; padding: .5rem; overflow-wrap: anywhere; }
.wide { grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); }
small { opacity: .75; }
form { max-width: 24rem; display: grid; gap: .75rem; }
input, button, .button { font: inherit; padding: .6rem .8rem; border-radius: .4rem; border: 1px solid var(--line); }
button, .button { background: var(--strong); color: #fff; border-color: transparent; text-decoration: none;
  display: inline-block; cursor: pointer; }
[role=alert] { border-left: .25rem solid #c0392b; padding-left: .75rem; }
nav { display: flex; gap: 1rem; flex-wrap: wrap; margin: 1rem 0; }
footer { margin-top: 2rem; border-top: 1px solid var(--line); padding-top: .5rem; }
"""

#: moments are written in UTC, which says so; where scripts run they are told in the visitor's time, with its zone
SCRIPT: Final = """\
for (const one of document.querySelectorAll("time")) {
  const at = new Date(one.dateTime);
  if (Number.isNaN(at.valueOf())) continue;
  const two = (number) => String(number).padStart(2, "0");
  const zone = (form) =>
    new Intl.DateTimeFormat(document.documentElement.lang, { timeZoneName: form })
      .formatToParts(at).find((part) => part.type === "timeZoneName").value;
  try {
    one.textContent =
      at.getFullYear() + "-" + two(at.getMonth() + 1) + "-" + two(at.getDate()) + " " +
      two(at.getHours()) + ":" + two(at.getMinutes()) + " " +
      zone("long") + " (" + zone("shortOffset").replace("GMT", "UTC") + ")";
  } catch {
    // an old browser knows no names of zones: UTC stays
  }
}
"""
#: of the policy: no other script runs
SCRIPT_HASH: Final = f"'sha256-{b64encode(sha256(SCRIPT.encode()).digest()).decode('ascii')}'"


class Page:
    """Makes the pages of one language. `root`: where they are mounted."""

    def __init__(self, language: Language, root: str) -> None:
        self._language: Language = language
        self._root = root

    def nothing(self) -> str:
        """For links that open nothing: which of the reasons it is, is not told."""
        return self._whole(self._t("nothing"), f"<p>{self._t('why')}</p>")

    def password(self, until: datetime, *, wrong: bool = False, resting: bool = False) -> str:
        """Asks for the password."""
        said = self._t("resting") if resting else self._t("wrong") if wrong else ""
        alert = f'<p role="alert">{said}</p>' if said else ""
        form = (
            f'<form method="post"><label for="password">{self._t("password")}</label>'
            '<input id="password" name="password" type="password" autocomplete="off" maxlength="200" required'
            " autofocus>"
            f"<button>{self._t('open')}</button></form>"
        )
        return self._whole(self._t("title"), f"<p>{self._t('asks')}</p>{alert}{form}", until)

    def study(self, study: SharedStudy, link: ShareLink) -> str:
        """The series of the study, with pictures; the way to take it along where that is allowed."""
        told = {
            "patient": _name(study.patient, self._language),
            "date": _date(study.date),
            "examination": " ".join(filter(None, (_made_by(study), study.description))),
        }
        facts = "".join(
            f"<dt>{self._t(word)}</dt><dd>{escape(value)}</dd>" for word, value in told.items() if value
        )
        items = "".join(
            f'<li><a href="series/{escape(one.uid)}">'
            f'<img loading="lazy" alt="{escape(one.description or one.modality)}"'
            f' src="dicom-web/studies/{escape(study.uid)}/series/{escape(one.uid)}/thumbnail?viewport=256,256">'
            f"<span>{self._t('series')} {escape(one.number)} {escape(one.modality)}<br>{escape(one.description)}"
            f"<br><small>{one.count} {self._count(one)}</small></span></a></li>"
            for one in study.series
        )
        download = ""
        if link.download:
            address = f"dicom-web/studies/{escape(study.uid)}?accept=application/zip"
            download = f'<nav><a class="button" href="{address}" download>{self._t("download")}</a></nav>'
        return self._whole(self._t("title"), f"<dl>{facts}</dl>{download}<ul>{items}</ul>", link.expires_at)

    def series(self, images: SharedImages, link: ShareLink) -> str:
        """Pictures of the images of one series."""
        study = (
            f"../dicom-web/studies/{escape(images.study_uid)}/series/{escape(images.series_uid)}/instances"
        )
        items = "".join(
            f'<li><a href="{study}/{escape(uid)}/rendered"><img loading="lazy" alt="{escape(number)}"'
            f' src="{study}/{escape(uid)}/thumbnail?viewport=512,512"><span>{escape(number)}'
            f"{self._frames(frames)}</span></a></li>"
            for uid, number, frames in images.images
        )
        ways = [f'<a href="../">{self._t("back")}</a>']
        if images.first:
            ways.append(f'<a href="?from={max(images.first - PAGE, 0)}">{self._t("before")}</a>')
        if images.first + PAGE < images.total:
            ways.append(f'<a href="?from={images.first + PAGE}">{self._t("more")}</a>')
        nav = f"<nav>{''.join(ways)}</nav>"
        return self._whole(
            images.title or self._t("series"),
            f'{nav}<ul class="wide">{items}</ul>{nav}',
            link.expires_at,
        )

    def _count(self, series: SharedSeries) -> str:
        word = "document" if series.modality in _WRITTEN else "image"
        return self._t(word if series.count == 1 else f"{word}s")

    def _frames(self, count: int) -> str:
        return f" <small>{count} {self._t('frames')}</small>" if count > 1 else ""

    def _t(self, word: str) -> str:
        return _WORDS[word][self._language]

    def _whole(self, title: str, content: str, until: datetime | None = None) -> str:
        other, name = _OTHER[self._language]
        stop = "。" if self._language == "zh" else ". "
        end = (
            f"<footer><p><small>{self._t('until')} {_moment(until)}{stop}"
            f"{self._t('not_for_diagnosis')}</small></p></footer>"
            if until
            else ""
        )
        return (
            f'<!doctype html><html lang="{"zh-CN" if self._language == "zh" else "en"}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<title>{escape(title)}</title><link rel="stylesheet" href="{escape(self._root)}/style.css"></head><body>'
            f'<header><h1>{escape(title)}</h1><a href="?lang={other}" hreflang="{other}">{name}</a></header>'
            f"<main>{content}</main>{end}{f'<script>{SCRIPT}</script>' if end else ''}</body></html>"
        )


def _name(patient: str, language: Language) -> str:
    """A person name (PS3.5 6.2.1) for reading, without carets: in Chinese the characters first, else the letters."""
    letters, characters = (_group(one) for one in (*patient.split("="), "")[:2])
    both = (characters, letters) if language == "zh" else (letters, characters)
    return " ".join(filter(None, both))


def _group(text: str) -> str:
    """A component group; Chinese characters stand without a gap."""
    return ("" if text[:1] > "\u024f" else " ").join(filter(None, text.split("^")))


def _made_by(study: SharedStudy) -> str:
    """The modalities that made images; what was written of them only where there is nothing else."""
    found = study.modalities.split(", ")
    return ", ".join([one for one in found if one not in _WRITTEN] or found)


def _moment(at: datetime) -> str:
    utc = at.astimezone(UTC)
    return f'<time datetime="{utc:%Y-%m-%dT%H:%M:%SZ}">{utc:%Y-%m-%d %H:%M} UTC</time>'


def _date(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 and text.isdecimal() else text
