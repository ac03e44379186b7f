"""The page behind the code on a printed report: anybody may ask it, and learns whether the paper is genuine and counts.

Without sign-in, without scripts, in Chinese or English. Each look at a paper is in the audit trail; of codes that lead
nowhere some are, and how many: anybody can make them up. Who asks too often waits.
"""

import asyncio
import threading
from datetime import datetime
from html import escape
from typing import Final, Literal

from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from filmless.access.audit.model import Entry, Kind
from filmless.access.audit.trail import Trail
from filmless.access.model import Principal
from filmless.access.rates import Rates
from filmless.db.work import reading
from filmless.kit.errors import Refused
from filmless.net.http.model import HttpSettings
from filmless.net.http.origin import client_host
from filmless.reporting import letterhead
from filmless.reporting.genuine import Paper, look_up
from filmless.reporting.settings import ReportingSettings
from filmless.reporting.signing import Keys

Language = Literal["zh", "en"]

#: looks of one address in one minute
_OFTEN: Final = 60
#: entries in one minute about codes that lead nowhere: of one address, of all
_NOWHERE, _NOWHERE_ALL = 1, 20
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
_WORDS: Final[dict[str, tuple[str, str]]] = {
    "title": ("报告核验", "Is this report genuine?"),
    "current": ("真实有效", "Genuine and current"),
    "current-help": (
        "此报告由本系统签发，签名有效，为目前有效版本。请核对下列内容与纸质报告一致。",
        "This report was signed here, its signatures hold, and it is the version that counts. Compare what follows "
        "with the paper.",
    ),
    "superseded": ("已被新版本取代", "Superseded"),
    "superseded-help": (
        "此报告真实，但已有更新的版本。请向科室索取新版报告，勿再使用本件。",
        "This report is genuine, but there is a later version. Ask the department for it; do not use this one.",
    ),
    "retracted": ("已撤回", "Retracted"),
    "retracted-help": (
        "此报告已由科室撤回，内容不再有效。请联系科室。",
        "The department has taken this report back; what it says is not valid. Ask the department.",
    ),
    "provisional": ("临时报告，尚未签发", "Provisional, not signed yet"),
    "provisional-help": (
        "此件为审核前的临时报告，以正式报告为准。",
        "This was printed before the report was reviewed. The signed report is the one that counts.",
    ),
    "signed-since": ("临时报告，正式报告已签发", "Provisional; the signed report is there now"),
    "signed-since-help": (
        "此件为审核前的临时报告，正式报告现已签发。请向科室索取。",
        "This was printed before the report was reviewed. The signed report is there now: ask the department for it.",
    ),
    "altered": ("无法核验", "Cannot be confirmed"),
    "altered-help": (
        "所存内容与签名不符。请勿使用本件，并立即联系科室。",
        "What is kept does not agree with its signature. Do not use this paper, and tell the department at once.",
    ),
    "nothing": ("查无此报告", "No such report"),
    "nothing-help": (
        "本系统没有签发过此编码的报告。请确认二维码完整；如仍如此，纸质报告可能并非由本院出具。",
        "No report with this code was ever printed here. Make sure that the code was read whole; if it was, the paper "
        "may not be from this hospital.",
    ),
    "often": ("请稍候再试", "Please wait a moment"),
    "often-help": ("查询过于频繁，请一分钟后再试。", "There were too many questions. Try again in a minute."),
    "number": ("检查号", "Exam number"),
    "revision": ("版本", "Revision"),
    "patient": ("患者姓名缩写", "Patient’s initials"),
    "at": ("签发时间", "Signed"),
    "written": ("出具时间", "Written"),
    "signers": ("签名", "Signed by"),
    "since": ("变更时间", "Changed"),
    "open": ("医务人员：登录后打开报告", "Staff: sign in and open the report"),
    "asked": ("核验时间", "Asked"),
}
_STYLE: Final = """\
:root { color-scheme: light dark; --line: #8886; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 34rem; padding: 1rem; line-height: 1.5;
  font-family: system-ui, -apple-system, "Segoe UI", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
header { display: flex; gap: 1rem; align-items: baseline; justify-content: space-between;
  border-bottom: 1px solid var(--line); margin-bottom: 1rem; padding-bottom: .5rem; }
h1 { font-size: 1rem; font-weight: 600; margin: 0; }
.standing { border: 2px solid; border-radius: .5rem; padding: .75rem 1rem; }
.standing h2 { font-size: 1.375rem; margin: 0 0 .25rem; }
.standing p { margin: 0; color: CanvasText; }
.good { color: #1a7f37; }
.old { color: #9a6700; }
.bad { color: #cf222e; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .375rem 1rem; margin: 1.25rem 0; }
dt { opacity: .75; }
dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
main { margin-bottom: 1.25rem; }
a { color: LinkText; }
footer { border-top: 1px solid var(--line); padding-top: .75rem; font-size: .875rem; }
@media (prefers-color-scheme: dark) { .good { color: #3fb950; } .old { color: #d29922; } .bad { color: #ff7b72; } }
"""
_COLOURS: Final = {"current": "good", "altered": "bad", "retracted": "bad", "nothing": "bad"}


def routes(
    engine: Engine, trail: Trail, http: HttpSettings, keys: Keys, settings: ReportingSettings, rates: Rates
) -> list[BaseRoute]:
    """To be mounted at model.CHECK_PAGE."""
    page = CheckPage(engine, trail, http, keys, settings, rates)
    return [
        Route("/style.css", _style, methods=["GET"]),
        Route("/{token}", page.show, methods=["GET"]),
    ]


async def _style(_request: Request) -> Response:
    return Response(_STYLE, media_type="text/css", headers={"Cache-Control": "public, max-age=86400"})


class CheckPage:
    """The page of one web process."""

    def __init__(
        self,
        engine: Engine,
        trail: Trail,
        http: HttpSettings,
        keys: Keys,
        settings: ReportingSettings,
        rates: Rates,
    ) -> None:
        self._engine = engine
        self._trail = trail
        self._http = http
        self._keys = keys
        self._settings = settings
        self._rates = rates
        #: looks at nothing since the last entry about one
        self._untold = 0
        self._telling = threading.Lock()

    async def show(self, request: Request) -> Response:
        """What the paper with this code is."""
        host, language = client_host(request, self._http), _language(request)
        if not await asyncio.to_thread(self._may, "look", host, _OFTEN):
            answer = _answer(_page(language, "", "often", [], request), 429)
            answer.headers["Retry-After"] = "60"
            return answer
        return await asyncio.to_thread(self._shown, request, host, language)

    def _may(self, kind: str, key: str, most: int) -> bool:
        """Count one more; False where it is one too many."""
        try:
            self._rates.take(kind, key, most)
        except Refused:
            return False
        return True

    def _shown(self, request: Request, host: str, language: Language) -> Response:
        asked: str = request.path_params["token"]
        with reading(self._engine) as connection:
            paper = look_up(connection, self._keys, asked)
            head = letterhead.of(connection, self._settings)
        hospital = head.hospital_zh if language == "zh" else head.hospital_en
        self._tell(host, paper)
        if paper is None:
            return _answer(_page(language, hospital, "nothing", [], request), 404)
        facts = _facts(paper, language)
        return _answer(_page(language, hospital, paper.standing, facts, request, paper.report))

    def _tell(self, host: str, paper: Paper | None) -> None:
        who = Principal("user", "unknown")
        if paper is None:
            with self._telling:
                if not (
                    self._may("nowhere", host, _NOWHERE) and self._may("nowhere of all", "", _NOWHERE_ALL)
                ):
                    self._untold += 1
                    return
                untold, self._untold = self._untold, 0
            self._trail.record_late(
                Entry(
                    Kind.VIEW,
                    who,
                    "refused",
                    host,
                    what="report check",
                    reason="no such report",
                    detail={"untold": untold} if untold else {},
                )
            )
            return
        self._trail.record_late(
            Entry(
                Kind.VIEW,
                who,
                host=host,
                studies=(paper.study_uid,),
                patients=(paper.patient_id,),
                what="report check",
                detail={"report": paper.report, "revision": paper.revision, "standing": paper.standing},
            )
        )


def _facts(paper: Paper, language: Language) -> list[tuple[str, str]]:
    def say(word: str) -> str:
        return _WORDS[word][language == "en"]

    signed = paper.standing not in ("provisional", "signed-since")
    comma = "、" if language == "zh" else ", "
    return [
        (say("number"), paper.number),
        (say("revision"), str(paper.revision)),
        (say("patient"), paper.initials),
        (say("at" if signed else "written"), _moment(paper.at)),
        (say("signers"), comma.join(paper.signers)),
        (say("since"), _moment(paper.since) if paper.since is not None else ""),
    ]


def _moment(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M")


def _page(
    language: Language,
    hospital: str,
    standing: str,
    facts: list[tuple[str, str]],
    request: Request,
    report: int = 0,
) -> str:
    def say(word: str) -> str:
        return escape(_WORDS[word][language == "en"])

    root = escape(request.scope.get("root_path", ""))
    other, name = ("en", "English") if language == "zh" else ("zh", "中文")
    rows = "".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in facts if value)
    now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
    # the application's own address, for who may sign in there
    link = f'<p><a href="/reports/{report}">{say("open")}</a></p>' if report else ""
    return (
        f'<!doctype html><html lang="{"zh-CN" if language == "zh" else "en"}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{say("title")}</title><link rel="stylesheet" href="{root}/style.css"></head><body>'
        f"<header><h1>{escape(hospital) or say('title')}</h1>"
        f'<a href="?lang={other}" hreflang="{other}" lang="{other}">{name}</a></header>'
        f'<main><section class="standing {_COLOURS.get(standing, "old")}" role="status"><h2>{say(standing)}</h2>'
        f"<p>{say(f'{standing}-help')}</p></section>"
        f"{f'<dl>{rows}</dl>' if rows else ''}</main>"
        f"<footer>{link}<p>{say('asked')} {now}</p></footer></body></html>"
    )


def _language(request: Request) -> Language:
    asked = request.query_params.get("lang") or request.headers.get("accept-language", "")
    return "zh" if asked.split(",")[0].strip().lower().startswith("zh") else "en"


def _answer(content: str, status: int = 200) -> Response:
    headers = {
        "Content-Security-Policy": _POLICY,
        "Cache-Control": "no-store",
        "Vary": "Accept-Language",
        "X-Robots-Tag": "noindex, nofollow",
    }
    return Response(content, status, headers, "text/html; charset=utf-8")
