"""`decisionLog` -> DecisionLog: where policy decisions are told, and what is never told of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from xds.native.quantities import octets, seconds
from xds.settings.reader import Reader

KEYS = ("console", "file", "maxSize", "keep", "url", "authorization", "interval", "mask", "drop", "labels")


@dataclass(frozen=True, slots=True)
class DecisionLog:
    """Where events go: standard output, a `file` (relative to the project), a collector at `url`.

    A file of `size` octets is put aside, and `keep` such are kept. The collector is sent what there is every `interval`
    seconds, with what the file `authorization` (relative to the project) says at that moment. `mask` are pointers (RFC 6901)
    into the event, below `/input` or `/result`. `allowed` says whether decisions to allow are told too.
    """

    console: bool = False
    file: str = ""
    size: int = 64 << 20
    keep: int = 3
    url: str = ""
    authorization: str = ""
    interval: float = 5.0
    mask: tuple[str, ...] = ()
    allowed: bool = True
    labels: tuple[tuple[str, str], ...] = ()


def decision_log(reader: Reader, value: Any) -> DecisionLog | None:
    """The section, or None if there is none or it names no place to write to. What is wrong with it is a diagnostic."""
    if value is None:
        return None
    section, at = reader.mapping(value, "/decisionLog", KEYS), "/decisionLog"
    made = DecisionLog(
        console=_kind(reader, section, "console", bool, False, "true or false"),
        file=_kind(reader, section, "file", str, "", "a path"),
        size=_quantity(reader, section, "maxSize", octets, DecisionLog().size, "a size: 64MiB"),
        keep=_kept(reader, section),
        url=_url(reader, section),
        authorization=_authorization(reader, section),
        interval=_quantity(reader, section, "interval", seconds, DecisionLog().interval, "a duration: 5s"),
        mask=_mask(reader, section),
        allowed=_allowed(reader, section),
        labels=_labels(reader, section),
    )
    if not (made.console or made.file or made.url):
        reader.say("settings-invalid", "`decisionLog` names a place: `console: true`, `file` or `url`", at)
        return None
    return made


def _kind(reader: Reader, section: dict[str, Any], key: str, kind: type, default: Any, words: str) -> Any:
    found = section.get(key, default)
    if isinstance(found, kind):
        return found
    reader.say("settings-invalid", f"`{key}` is {words}", f"/decisionLog/{key}")
    return default


def _quantity(reader: Reader, section: dict[str, Any], key: str, read: Any, default: Any, words: str) -> Any:
    try:
        found = read(section[key]) if key in section else default
    except (KeyError, TypeError, ValueError, AttributeError):
        found = 0
    if not found:
        reader.say("settings-invalid", f"`{key}` is {words}", f"/decisionLog/{key}")
    return found or default


def _kept(reader: Reader, section: dict[str, Any]) -> int:
    found = section.get("keep", 3)
    if isinstance(found, int) and not isinstance(found, bool) and 1 <= found <= 100:
        return found
    reader.say("settings-invalid", "`keep` is a number of files, 1 to 100", "/decisionLog/keep")
    return 3


def _url(reader: Reader, section: dict[str, Any]) -> str:
    found = _kind(reader, section, "url", str, "", "a URL")
    try:
        parts = urlsplit(found)
        good = parts.scheme in ("http", "https") and parts.hostname and not parts.username and (parts.port or 1)
    except ValueError:
        good = False
    if found and not good:
        reader.say("settings-invalid", "`url` is a URL like https://collector/logs, without user", "/decisionLog/url")
        return ""
    return str(found)


def _authorization(reader: Reader, section: dict[str, Any]) -> str:
    """The file's name. Its text is read by whoever sends it, and is in nothing that is compiled, handed out or shown."""
    if section.get("authorization") is None:
        return ""
    at = "/decisionLog/authorization"
    value = section["authorization"]
    file = value.get("file") if isinstance(value, dict) and set(value) == {"file"} else None
    if not isinstance(file, str) or not file or "\0" in file:
        help_ = "authorization: {file: secrets/token}"
        reader.say("settings-invalid", "`authorization` names the `file` that holds it, and nothing else", at, help_)
        return ""
    if not section.get("url"):
        reader.say("settings-invalid", "`authorization` is for a collector: there is no `url`", at)
    return file


def _mask(reader: Reader, section: dict[str, Any]) -> tuple[str, ...]:
    found = reader.texts(section.get("mask"), "/decisionLog/mask")
    for index, pointer in enumerate(found):
        if pointer.split("/")[:2] not in (["", "input"], ["", "result"]):
            reader.say("settings-invalid", "a mask begins with /input or /result", f"/decisionLog/mask/{index}")
    return found


def _allowed(reader: Reader, section: dict[str, Any]) -> bool:
    if section.get("drop") not in (None, "allowed"):
        reader.say("settings-invalid", "`drop` can only be `allowed`: refusals are always told", "/decisionLog/drop")
    return section.get("drop") != "allowed"


def _labels(reader: Reader, section: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    labels = reader.mapping(section.get("labels"), "/decisionLog/labels")
    for name, value in labels.items():
        if not isinstance(value, str):
            reader.say("settings-invalid", "a label is a text", f"/decisionLog/labels/{name}")
    return tuple(sorted((name, value) for name, value in labels.items() if isinstance(value, str)))
