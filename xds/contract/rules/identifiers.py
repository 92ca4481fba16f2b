"""Operation ids: unique, printable, and made from method and path where the contract has none."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import replace

from xds.contract.report import Report
from xds.model import Operation, Place

_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/@+$-]{0,127}")
_HELP = "letters, digits and `_ . : / @ + $ -`, up to 128 characters: ids stand in headers, logs and names"


Named = dict[int, tuple[Operation, Operation]]
"""By identity: operations whose final id is not the contract's, and the same with it."""


def plain(operation: Operation) -> bool:
    """Whether an operation keeps the id that the contract gives it, unless another has the same."""
    stem = operation.id
    return _ID.fullmatch(stem) is not None and ".." not in stem and "//" not in stem


def identify(operations: list[Operation], report: Report, known: Named) -> list[Operation]:
    """The operations with their final ids. Those of one Operation Object under several base paths share it as a stem.

    `known` is what this left in it the last time; it is brought up to date.
    """
    before = dict(known)
    known.clear()
    made = Counter(_made(o) for o in operations if not o.id)
    fullmatch = _ID.fullmatch
    given = {o.id.replace(" ", "_") for o in operations}
    first: dict[str, Operation] = {}
    result: list[Operation] = []
    for operation in operations:
        stem = operation.id
        if not stem:
            stem = _made(operation)
            stem = f"{stem}_{_short(operation)}" if made[stem] > 1 or stem in given else stem
        elif " " in stem and fullmatch(plain := stem.replace(" ", "_")):
            help = f"it is called {plain} in policies, logs and traces"
            report.add("operation-id-changed", f"spaces in the id {stem!r} become `_`", _written(operation), help)
            stem = plain
        if operation.id and (not fullmatch(stem) or ".." in stem or "//" in stem):
            report.add("operation-id", f"{_shown(stem)} cannot be an operation's id", _written(operation), _HELP)
            continue
        shared = ""
        twin = first.get(stem)
        if twin is not None and twin.place == operation.place:
            shared, stem = stem, f"{stem[:110]}@{_short(operation)}"
        elif twin is not None:
            related = [(_written(twin), "first here")]
            report.add(
                "operation-id-duplicate", f"two operations are called {stem!r}", _written(operation), None, related
            )
            continue
        first[stem] = operation
        result.append(operation if stem == operation.id else _renamed(operation, stem, shared, before, known))
    return result


def _renamed(operation: Operation, stem: str, shared: str, before: Named, known: Named) -> Operation:
    """An operation under another id; the same object as the last time if it is called the same."""
    old = before.get(id(operation))
    if old is None or old[0] is not operation or (old[1].id, old[1].shared_name) != (stem, shared):
        old = operation, replace(operation, id=stem, shared_name=shared)
    known[id(operation)] = old
    return old[1]


def _written(operation: Operation) -> Place:
    return Place(operation.place.file, f"{operation.place.pointer}/operationId")


def _made(operation: Operation) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "_", operation.path.text).strip("_")
    return f"{operation.method.lower()}_{words or 'root'}"[:100]


def _short(operation: Operation) -> str:
    return hashlib.sha256(f"{operation.method} {operation.path.text}".encode()).hexdigest()[:8]


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 60 else text[:57] + "...")
