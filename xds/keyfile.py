"""A file of consumers' keys, as `sidegate key` reads and writes it: names and hashes, never a key."""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from xds.failure import CannotRun
from xds.settings.keys import read_keys
from xds.source import load

HEAD = "# Consumers and the SHA-256 of their keys. Written by `sidegate key`; no key can be read out of it.\n"
BITS = 256
"""Of a key. So many random bits need no slow hash and no salt: there is nothing to guess and nothing to precompute."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One key: whose it is, its hash in hexadecimal digits, the day it was made, and the consumer's plan."""

    consumer: str
    sha256: str
    created: str
    plan: str = ""


def read(path: Path) -> list[Entry]:
    """The entries of a file; none if it is not there yet. Raises CannotRun if it is no such file."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CannotRun(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    document, problems = load(path.name, data)
    wrong = problems if document is None else read_keys(document)[1]
    if document is None or wrong:
        raise CannotRun(f"{path}: {wrong[0].message}. Next: sidegate check")
    listed = (document.value or {}).get("keys", [])
    return [
        Entry(entry["consumer"], entry["sha256"], str(entry.get("created", "")), entry.get("plan", ""))
        for entry in listed
    ]


def add(path: Path, consumer: str, *, basic: bool = False, plan: str = "") -> str:
    """Make a key and keep its hash; what is returned is kept nowhere. Of a `basic` user the whole `user:password` is hashed."""
    entries = read(path)
    if basic and any(entry.consumer == consumer for entry in entries):
        raise CannotRun(f"{consumer} has a password. Next: sidegate key revoke {consumer}")
    have = next((entry.plan for entry in entries if entry.consumer == consumer and entry.plan), plan)
    if plan and have != plan:
        raise CannotRun(f"{consumer} has the plan {have}, by another key. Next: sidegate key revoke {consumer}")
    secret = secrets.token_urlsafe(BITS // 8)
    presented = f"{consumer}:{secret}" if basic else secret
    digest = hashlib.sha256(presented.encode()).hexdigest()
    write(path, [*entries, Entry(consumer, digest, datetime.now(UTC).date().isoformat(), have)])
    return secret


def revoke(path: Path, consumer: str, digits: str = "") -> int:
    """Forget a consumer's keys, those whose hash starts with `digits`. Returns how many."""
    entries = read(path)
    kept = [e for e in entries if e.consumer != consumer or not e.sha256.startswith(digits)]
    if len(kept) < len(entries):
        write(path, kept)
    return len(entries) - len(kept)


def write(path: Path, entries: Iterable[Entry]) -> None:
    """Put the entries in place of the file, whole or not at all; only its owner can read it. Raises CannotRun."""
    lines = [f"  - {{{_fields(entry)}}}" for entry in entries]
    text = HEAD + ("keys:\n" + "\n".join(lines) if lines else "keys: []") + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(number, "w", encoding="utf-8") as out:
            out.write(text)
        os.replace(scratch, path)
    except OSError as error:
        raise CannotRun(f"{path} cannot be written: {(error.strerror or str(error)).lower()}") from error


def _fields(entry: Entry) -> str:
    plan = f', plan: "{entry.plan}"' if entry.plan else ""
    return f'consumer: "{entry.consumer}", sha256: "{entry.sha256}", created: "{entry.created}"{plan}'
