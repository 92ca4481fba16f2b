"""`x-sidegate: {breaking: [{id, operation, reason}]}` -> changes that a contract lets pass, each by name and with a reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from xds.contract.node import Node
from xds.contract.report import Finding
from xds.contract.rules.allowances import GONE, KEY, among, named, nearest
from xds.model import Operation, Place


@dataclass(frozen=True, slots=True)
class Allowance:
    """One entry. Without an `operation` it is for each that it stands over."""

    id: str
    operation: str
    reason: str

    def covers(self, id_: str, operations: Iterable[str]) -> bool:
        return self.id == id_ and (not self.operation or among(self.operation, operations))


def of_document(root: Node) -> tuple[Allowance, ...]:
    """What stands on the document: also for operations that are gone."""
    extension = root.get("x-sidegate")
    entries = extension.get(KEY) if extension is not None else None
    return tuple(_read(entries.value if entries is not None else None))


def of_operation(operation: Operation) -> tuple[Allowance, ...]:
    """What stands on an operation, or over it where it says nothing itself."""
    setting = operation.settings.get(KEY)
    return tuple(_read(setting.value if setting is not None else None))


def unmatched(root: Node, old: Sequence[Operation], new: Sequence[Operation]) -> Iterator[Finding]:
    """Entries for operations that are gone, which neither contract has ever had. Of all others the compiler tells."""
    over = {setting.place: setting.value for operation in new if (setting := operation.settings.get(KEY)) is not None}
    extension = root.get("x-sidegate")
    if extension is not None and (entries := extension.get(KEY)) is not None:
        over[entries.place] = entries.value
    names = [named(operation) for operation in (*old, *new)]
    for place, value in over.items():
        for index, allowance in enumerate(_read(value)):
            if allowance.id in GONE and allowance.operation and not among(allowance.operation, names):
                at = Place(place.file, f"{place.pointer}/{index}/operation")
                words = f"neither contract has an operation `{allowance.operation}`"
                yield Finding("allowance-unmatched", words, at, nearest(allowance.operation, names))


def _read(value: object) -> Iterator[Allowance]:
    for entry in value if isinstance(value, list) else ():
        if isinstance(entry, dict) and entry.get("id") and entry.get("reason"):
            yield Allowance(str(entry["id"]), str(entry.get("operation", "")), str(entry["reason"]))
