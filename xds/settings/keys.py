"""A file of consumers' keys -> Key. `sidegate key` writes such files; they hold hashes only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from xds.diagnostics import Diagnostic, did_you_mean
from xds.model import Key
from xds.native.plans import NAME
from xds.settings.plans import named
from xds.settings.reader import Reader
from xds.source import Document, load
from xds.source.pointer import escape

CONSUMER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@+-]{0,62}[A-Za-z0-9])?")
"""What a consumer can be called: it stands in headers, logs and counters."""

_HASH = re.compile(r"[0-9a-f]{64}")
_FIELDS = ("consumer", "sha256", "created", "plan")
_HELP = "sidegate key new CONSUMER makes a key, prints it once and keeps its hash"


def keys(reader: Reader, value: Any, at: str) -> tuple[Key, ...] | None:
    """The keys of a scheme's `keys: {file: ...}`; None if something is wrong."""
    file = reader.mapping(value, at, ("file",)).get("file")
    if not isinstance(file, str):
        reader.say("settings-invalid", "`keys` names the `file` that holds the consumers and the hashes", at)
        return None
    file = reader.file(file, f"{at}/file")
    data = reader.files.get(file)
    if data is None:
        reader.say("keys-unreadable", f"there is no readable file '{file}' in the project", f"{at}/file", _HELP)
        return None
    document, problems = load(file, data)
    reader.found.extend(problems)
    if document is None:
        return None
    found, wrong = read_keys(document)
    wrong = wrong or tuple(_strangers(document, named(reader)))
    reader.found.extend(wrong)
    if not found and not wrong:
        reader.say("keys-empty", f"{file} holds no key: nobody can bring one", f"{at}/file", _HELP)
    return None if wrong else found


def read_keys(document: Document) -> tuple[tuple[Key, ...], tuple[Diagnostic, ...]]:
    """The keys in a file of the form `keys: [{consumer: ..., sha256: ...}]`, and what is wrong with it."""
    top = document.value if document.value is not None else {}
    listed = top.get("keys", []) if isinstance(top, dict) and set(top) <= {"keys"} else None
    if not isinstance(listed, list):
        return (), (_wrong(document, "keys-invalid", "the file must be a mapping with a list `keys`", ""),)
    found: dict[str, Key] = {}
    wrong: list[Diagnostic] = []
    for index, entry in enumerate(listed):
        at = f"/keys/{index}"
        wrong.extend(_problems(document, entry, at))
        if not wrong and entry["sha256"] in found:
            wrong.append(_wrong(document, "keys-invalid", "this hash stands in the file twice", f"{at}/sha256"))
        if not wrong:
            found[entry["sha256"]] = Key(entry["consumer"], entry["sha256"], entry.get("plan"))
    return tuple(found[key] for key in sorted(found)), tuple(wrong)


def _strangers(document: Document, plans: tuple[str, ...]) -> Iterator[Diagnostic]:
    """Entries whose plan nobody has."""
    for index, entry in enumerate((document.value or {}).get("keys", ())):
        plan = entry.get("plan")
        if plan is not None and plan not in plans:
            message = f"there is no plan '{plan}' in sidegate.yaml"
            help_ = did_you_mean(plan, plans) or f"plans: {{{plan}: {{rateLimits: [...]}}}} in sidegate.yaml"
            yield replace(_wrong(document, "plan-unknown", message, f"/keys/{index}/plan"), help=help_)


def _problems(document: Document, entry: Any, at: str) -> Iterator[Diagnostic]:
    """What is wrong with one entry. Messages quote nothing of it: it may be a key."""
    if not isinstance(entry, dict):
        yield _wrong(document, "keys-plain", "an entry is a mapping of `consumer` and `sha256`, not a key itself", at)
        return
    for name in entry.keys() - set(_FIELDS):
        message = "an entry has `consumer`, `sha256` and `created`: a key itself must not stand here"
        yield _wrong(document, "keys-plain", message, f"{at}/{escape(str(name))}")
    if not isinstance(entry.get("consumer"), str) or not CONSUMER.fullmatch(entry["consumer"]):
        message = "an entry needs its `consumer`: up to 64 letters, digits and . _ @ + -"
        yield _wrong(document, "keys-invalid", message, f"{at}/consumer" if "consumer" in entry else at)
    if not isinstance(entry.get("plan", ""), str) or ("plan" in entry and not NAME.fullmatch(entry["plan"])):
        yield _wrong(document, "keys-invalid", "`plan` is the name of a plan of sidegate.yaml", f"{at}/plan")
    if not isinstance(entry.get("sha256"), str) or not _HASH.fullmatch(entry["sha256"]):
        message = "`sha256` is 64 lower-case hexadecimal digits in quotes, the hash of a key and never the key itself"
        yield _wrong(document, "keys-plain", message, f"{at}/sha256" if "sha256" in entry else at)


def _wrong(document: Document, code: str, message: str, at: str) -> Diagnostic:
    return replace(Diagnostic(code, message, document.span(at)), help=_HELP)
