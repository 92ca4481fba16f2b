"""`x-sidegate: {breaking: [...]}`: an entry whose operation there is not allows nothing, and its author thinks that it does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from xds.contract.node import Node
from xds.contract.report import Report, suggestion
from xds.model import Operation, Place

KEY = "breaking"
GONE = frozenset(
    {
        "api-removed-without-deprecation",
        "api-removed-before-sunset",
        "api-path-removed-without-deprecation",
        "api-path-removed-before-sunset",
        "api-path-sunset-parse",
    }
)
"""What is said of operations that the contract has no more, so that only a comparison knows whether there were any."""


def named(operation: Operation) -> str:
    """What an entry calls an operation."""
    return f"{operation.method} {operation.path.text}"


def nameless(operation: str) -> str:
    """A named operation without the names of its path variables, which are nobody's business."""
    return re.sub(r"\{[^{}]*\}", "{}", operation)


def check(root: Node, operations: Sequence[Operation], report: Report) -> None:
    """Every entry, wherever it stands, against the operations that it stands over."""
    over: dict[Place, list[Operation]] = {}
    for operation in operations:
        if (setting := operation.settings.get(KEY)) is not None:
            over.setdefault(setting.place, []).append(operation)
    extension = root.get("x-sidegate")
    document = extension.get(KEY) if extension is not None else None
    if document is not None:
        over[document.place] = list(operations)
    for place, known in over.items():
        value = document.value if document is not None and place == document.place else known[0].settings[KEY].value
        _entries(value, place, [named(operation) for operation in known], report)


def _entries(value: object, place: Place, known: Sequence[str], report: Report) -> None:
    for index, entry in enumerate(value if isinstance(value, list) else ()):
        operation = entry.get("operation") if isinstance(entry, dict) else None
        if isinstance(operation, str) and entry.get("id") not in GONE and not among(operation, known):
            at = Place(place.file, f"{place.pointer}/{index}/operation")
            report.add(
                "allowance-unmatched", f"there is no operation `{operation}` here", at, nearest(operation, known)
            )


def among(operation: str, known: Iterable[str]) -> bool:
    """Whether an entry's operation is one of those."""
    return nameless(operation) in map(nameless, known)


def nearest(operation: str, known: Sequence[str]) -> str:
    """What may have been meant."""
    return suggestion(operation, known) or "operations are named by method and whole path, as in `GET /v1/pets/{id}`"
