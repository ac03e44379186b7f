"""Settings: frozen values built once from defaults, the settings file, the environment and the command line.

Later sources win in that order. The file is TOML (HOME/filmless.toml, or the one named by --config): keys of the
server at the top, those of the rooms in sections. The environment has the same names: FILMLESS_DICOM_PORT,
FILMLESS_ARCHIVE_DUPLICATES. An unknown key refuses to start and is named.
"""

import dataclasses
import difflib
import json
import os
import re
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Union

from filmless.access.audit.settings import AuditSettings
from filmless.access.settings import AccessSettings
from filmless.app.alarms.settings import AlarmSettings
from filmless.archive.codecs import CodecSettings
from filmless.archive.find import FindSettings
from filmless.archive.model import ArchiveSettings
from filmless.archive.retrieve.sending import RetrieveSettings
from filmless.department.model import DepartmentSettings
from filmless.devices.model import DeviceSettings
from filmless.kit.errors import Refused
from filmless.net.http.model import HttpSettings
from filmless.net.model import NetSettings
from filmless.reporting.settings import ReportingSettings

DEFAULT_HOME = "~/.filmless"
FILE_NAME = "filmless.toml"

#: names that are ours but no settings of the product: where tests find sample files, and what tests and bench use
_OTHER_NAMES = ("FILMLESS_SAMPLES",)
_OTHER_PREFIXES = ("FILMLESS_TEST_", "FILMLESS_BENCH_", "FILMLESS_SOAK_")


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Keys at the top of the settings file."""

    #: address to listen on; 0.0.0.0 is every IPv4 address of this machine
    bind: str = "0.0.0.0"
    dicom_port: int = 11112
    http_port: int = 8104
    #: our AE title
    aet: str = "FILMLESS"
    #: seconds that messages under way may take to end after SIGTERM, before their associations are aborted
    stop_grace_seconds: float = 20.0
    #: of the first account, `admin`, which is made at the first start; empty: a random one, printed once
    admin_password: str = field(default="", metadata={"secret": True})

    def __post_init__(self) -> None:
        for name in ("dicom_port", "http_port"):
            if not 0 <= getattr(self, name) <= 65535:
                raise ValueError(f"{name} must be a port number from 1 to 65535 (0 takes any free one)")
        if not 1 <= len(self.aet) <= 16 or self.aet != self.aet.strip():
            raise ValueError("aet must be 1 to 16 characters without spaces around them")
        if "\\" in self.aet or not self.aet.isascii() or not self.aet.isprintable():
            raise ValueError("aet may hold printable ASCII characters only, and no backslash")
        if self.stop_grace_seconds < 0:
            raise ValueError("stop_grace_seconds cannot be negative")


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """[database]: where the index is."""

    #: postgresql+psycopg://user:password@host/name; empty: SQLite in the home folder. May hold a password.
    url: str = field(default="", metadata={"secret": True})

    def __post_init__(self) -> None:
        if self.url and not self.url.startswith(("postgresql+psycopg://", "sqlite:///")):
            raise ValueError(
                "url must begin with postgresql+psycopg:// (or be empty: SQLite in the home folder)"
            )


@dataclass(frozen=True, slots=True)
class LogSettings:
    """[log]: rotated files in HOME/log, and standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    file_bytes: int = 20 << 20
    #: how many older files are kept beside the current one
    files: int = 10
    #: also to standard error; the journal reads it under systemd
    to_stderr: bool = True

    def __post_init__(self) -> None:
        if self.file_bytes < 4096 or self.files < 1:
            raise ValueError("file_bytes must be at least 4096 and files at least 1")


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """[tls]: one certificate, for a second DICOM port that speaks TLS (BCP 195, PS3.15 B.12) and for [http] tls."""

    #: 0: no TLS port. The registered port is 2762
    port: int = 0
    certificate: str = ""
    key: str = ""
    #: certificates of the authorities that peers' certificates are checked against
    authorities: str = ""
    #: whether peers must show a certificate of their own (mutual authentication)
    peers: Literal["required", "optional", "none"] = "required"

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError("port must be a port number from 1 to 65535, or 0 for none")
        if self.port and not (self.certificate and self.key):
            raise ValueError("a TLS port needs certificate and key")
        if self.port and self.peers != "none" and not self.authorities:
            raise ValueError('checking peers needs authorities (or set peers = "none")')


#: section of the file -> the class that knows its keys; "" is the top of the file
SECTIONS: dict[str, type] = {
    "": ServerSettings,
    "database": DatabaseSettings,
    "net": NetSettings,
    "tls": TlsSettings,
    "http": HttpSettings,
    "archive": ArchiveSettings,
    "find": FindSettings,
    "retrieve": RetrieveSettings,
    "codecs": CodecSettings,
    "devices": DeviceSettings,
    "department": DepartmentSettings,
    "reporting": ReportingSettings,
    "access": AccessSettings,
    "audit": AuditSettings,
    "alarms": AlarmSettings,
    "log": LogSettings,
}

#: numbers that may be 0; no number may be below it, and the others not 0 either
_MAY_BE_ZERO = frozenset(
    {
        ("", "dicom_port"),
        ("", "http_port"),
        ("", "stop_grace_seconds"),
        ("tls", "port"),
        ("net", "max_pdu"),
        ("find", "max_answers"),
        ("retrieve", "read_ahead"),
        ("codecs", "memory"),
        ("archive", "settle_seconds"),
        ("archive", "prepare_seconds"),
        ("archive", "minimum_free_bytes"),
        ("archive", "purge_after_days"),
        ("devices", "check_interval"),
        ("alarms", "after_seconds"),
        ("alarms", "repeat_hours"),
    }
)

#: fields that are no keys of their own because another key sets them
_DERIVED = {("net", "ae_title"), ("find", "ae_title")}


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything in force. Paths are absolute."""

    home: Path
    #: the settings file that was read, None where there is none
    config: Path | None
    server: ServerSettings
    database: DatabaseSettings
    net: NetSettings
    tls: TlsSettings
    http: HttpSettings
    archive: ArchiveSettings
    find: FindSettings
    retrieve: RetrieveSettings
    codecs: CodecSettings
    devices: DeviceSettings
    department: DepartmentSettings
    reporting: ReportingSettings
    access: AccessSettings
    audit: AuditSettings
    alarms: AlarmSettings
    log: LogSettings
    #: "section.key" -> where its value comes from; defaults are not listed
    origins: Mapping[str, str]

    @property
    def index_url(self) -> str:
        """Of the index: PostgreSQL where set, else SQLite in the home folder."""
        return self.database.url or f"sqlite:///{self.home / 'index.sqlite'}"

    @property
    def store(self) -> Path:
        return self.home / "store"

    @property
    def logs(self) -> Path:
        return self.home / "log"

    @property
    def audit_key(self) -> Path:
        return (
            Path(self.audit.key_file).expanduser()
            if self.audit.key_file
            else self.home / "keys" / "audit.key"
        )

    @property
    def control_socket(self) -> Path:
        return self.home / "control.sock"

    def environment(self) -> dict[str, str]:
        """What a child process needs in its environment to load exactly these settings."""
        passed = {"FILMLESS_HOME": str(self.home)}
        if self.config is not None:
            passed["FILMLESS_CONFIG"] = str(self.config)
        for section, name, value in values(self):
            if f"{section}.{name}" in self.origins:
                passed[variable(section, name)] = _as_text(value)
        return passed


def keys(section: str) -> dict[str, Any]:
    """Key -> type of a section."""
    hints = typing.get_type_hints(SECTIONS[section])
    return {
        item.name: hints[item.name]
        for item in dataclasses.fields(SECTIONS[section])
        if (section, item.name) not in _DERIVED
    }


def variable(section: str, name: str) -> str:
    """The environment variable of a key."""
    return "_".join(part.upper() for part in ("filmless", section, name) if part)


def values(settings: Settings) -> list[tuple[str, str, Any]]:
    """(section, key, value) of everything in force, in the order of the sections."""
    return [
        (section, name, getattr(getattr(settings, section or "server"), name))
        for section in SECTIONS
        for name in keys(section)
    ]


def is_secret(section: str, name: str) -> bool:
    """Whether a value is never shown."""
    return any(
        item.metadata.get("secret", False)
        for item in dataclasses.fields(SECTIONS[section])
        if item.name == name
    )


def load(
    home: str | Path | None = None,
    config: str | Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    **given: Any,
) -> Settings:
    """Settings from the file, the environment (os.environ where None) and `given` (top keys; None is: not given).

    Raises Refused that names every unknown key and every wrong value at once.
    """
    env = os.environ if environment is None else environment
    problems: list[str] = []
    found: dict[tuple[str, str], tuple[Any, str]] = {}

    folder = Path(home or env.get("FILMLESS_HOME") or DEFAULT_HOME).expanduser().absolute()
    named = config or env.get("FILMLESS_CONFIG")
    file = Path(named).expanduser().absolute() if named else folder / FILE_NAME
    if file.is_file():
        _from_file(file, found, problems)
    elif named:
        raise Refused(f"There is no settings file {file}.", code="no-settings-file")

    _from_environment(env, found, problems)
    for name, value in given.items():
        if value is not None:
            found["", name] = (value, f"option --{name.replace('_', '-')}")

    parts: dict[str, Any] = {}
    for section, cls in SECTIONS.items():
        arguments = {name: value for (where, name), (value, _) in found.items() if where == section}
        if (section, "ae_title") in _DERIVED:
            arguments["ae_title"] = parts["server"].aet if "server" in parts else "FILMLESS"
        try:
            parts[section or "server"] = cls(**arguments)
        except ValueError as why:
            named_section = f"in [{section}]: " if section else ""
            given_here = {key: source for (where, key), (_, source) in found.items() if where == section}
            meant = {source for key, source in given_here.items() if re.search(rf"\b{key}\b", str(why))}
            sources = sorted(meant or set(given_here.values()))
            problems.append(f"{named_section}{why} (set by {', '.join(sources)})")
    if not problems and parts["tls"].port and parts["tls"].port == parts["server"].dicom_port:
        problems.append("[tls] port must be another one than dicom_port")
    if not problems and parts["http"].tls and not (parts["tls"].certificate and parts["tls"].key):
        problems.append("[http] tls = true needs certificate and key in [tls]")
    if problems:
        raise Refused("The settings cannot be used:\n  " + "\n  ".join(problems), code="settings")
    origins = {f"{section}.{name}": source for (section, name), (_, source) in found.items()}
    return Settings(folder, file if file.is_file() else None, **parts, origins=origins)


def _from_file(file: Path, found: dict[tuple[str, str], tuple[Any, str]], problems: list[str]) -> None:
    try:
        document = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as why:
        problems.append(f"{file} is not TOML: {why}")
        return
    except OSError as why:
        problems.append(f"{file} cannot be read: {why.strerror}")
        return
    for name, value in document.items():
        if isinstance(value, dict):
            if name == "" or name not in SECTIONS:
                problems.append(f"unknown section [{name}] in {file}{_nearest(name, list(SECTIONS))}")
                continue
            for key, inner in value.items():
                _take(name, key, inner, str(file), found, problems)
        else:
            _take("", name, value, str(file), found, problems)


def _take(
    section: str,
    key: str,
    value: Any,
    source: str,
    found: dict[tuple[str, str], tuple[Any, str]],
    problems: list[str],
) -> None:
    known = keys(section)
    where = f"[{section}] " if section else ""
    if key not in known:
        problems.append(f"unknown key {where}{key} in {source}{_nearest(key, list(known))}")
        return
    try:
        found[section, key] = (_in_bounds(section, key, _typed(value, known[key])), source)
    except ValueError as why:
        problems.append(f"{where}{key} in {source}: {why}")


def _from_environment(
    env: Mapping[str, str], found: dict[tuple[str, str], tuple[Any, str]], problems: list[str]
) -> None:
    known = {variable(section, name): (section, name) for section in SECTIONS for name in keys(section)}
    for name in sorted(env):
        if not name.startswith("FILMLESS_") or name in ("FILMLESS_HOME", "FILMLESS_CONFIG", *_OTHER_NAMES):
            continue
        if name.startswith(_OTHER_PREFIXES):
            continue
        if name not in known:
            problems.append(f"unknown environment variable {name}{_nearest(name, list(known))}")
            continue
        section, key = known[name]
        try:
            value = _in_bounds(section, key, _from_text(env[name], keys(section)[key]))
            found[section, key] = (value, f"environment {name}")
        except ValueError as why:
            problems.append(f"environment {name}: {why}")


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, [item for item in known if item], n=1, cutoff=0.6)
    return f" (did you mean {close[0]}?)" if close else ""


def _in_bounds(section: str, key: str, value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value < 0:
            raise ValueError(f"cannot be below 0, as {value} is")
        if not value and (section, key) not in _MAY_BE_ZERO:
            raise ValueError("must be more than 0")
    return value


def _typed(value: Any, kind: Any) -> Any:
    """A TOML value as `kind`; raises ValueError in words."""
    origin = typing.get_origin(kind)
    if origin in (Union, types.UnionType):
        return _typed(value, next(part for part in typing.get_args(kind) if part is not type(None)))
    if origin is Literal:
        allowed = typing.get_args(kind)
        if value not in allowed:
            raise ValueError(f"must be one of {', '.join(map(str, allowed))}, not {value!r}")
        return value
    if origin in (tuple, frozenset):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ValueError("must be a list of strings")
        return origin(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is Path and isinstance(value, str):
        return Path(value).expanduser()
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"must be {_WORDS.get(kind, kind.__name__)}, not {value!r}")
    return value


def _from_text(text: str, kind: Any) -> Any:
    """An environment variable's text as `kind`; lists parted by commas, or JSON. Raises ValueError in words."""
    origin = typing.get_origin(kind)
    if origin in (tuple, frozenset):
        if text.strip().startswith("["):
            # as `filmless settings` shows it, and the settings file has it
            try:
                return _typed(json.loads(text), kind)
            except json.JSONDecodeError:
                raise ValueError(f'must be a list such as a,b or ["a", "b"], not {text!r}') from None
        return origin(item.strip() for item in text.split(",") if item.strip())
    if origin in (Union, types.UnionType):
        return _from_text(text, next(part for part in typing.get_args(kind) if part is not type(None)))
    if kind is bool:
        if text.lower() not in _TRUTH:
            raise ValueError(f"must be true or false, not {text!r}")
        return _TRUTH[text.lower()]
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            raise ValueError(f"must be {_WORDS[kind]}, not {text!r}") from None
    return _typed(text, kind)


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | frozenset):
        return ",".join(sorted(value) if isinstance(value, frozenset) else value)
    return str(value)


_TRUTH = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text in quotes"}
