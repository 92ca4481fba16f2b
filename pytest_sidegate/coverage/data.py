"""Data: which points were seen, and by which tests; merged over workers and runs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

FORMAT = 1
FOLDER = ".sidegate/coverage"
"""Where a project's runs are kept, a file a worker."""

SOME = 20
"""So many tests are named of one point, the first by their names."""


class UnreadableData(ValueError):
    """A file is no coverage data."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question to a policy, as it was put while tests ran: `rule` is `catalog/authz/allow`, `input` its JSON text."""

    rule: str
    input: str


@dataclass(frozen=True, slots=True)
class Data:
    """By the key of a point the names of the tests that showed it, and the questions that policies were asked.

    `merged` is commutative, associative and idempotent, and loses nothing but names of tests beyond the first `SOME`.
    """

    hits: Mapping[str, frozenset[str]] = field(default_factory=dict)
    asked: frozenset[Asked] = frozenset()

    @classmethod
    def of(cls, keys: Iterable[str], test: str = "", asked: Iterable[Asked] = ()) -> Data:
        """What one exchange showed."""
        return cls({key: frozenset((test,) if test else ()) for key in keys}, frozenset(asked))

    def merged(self, other: Data) -> Data:
        """What either has seen."""
        keys = self.hits.keys() | other.hits.keys()
        none: frozenset[str] = frozenset()
        hits = {key: _some(self.hits.get(key, none) | other.hits.get(key, none)) for key in sorted(keys)}
        return Data(hits, self.asked | other.asked)

    def document(self) -> dict[str, Any]:
        """As JSON has it, equal for equal data."""
        asked = sorted((each.rule, each.input) for each in self.asked)
        return {
            "format": FORMAT,
            "hits": {key: sorted(self.hits[key]) for key in sorted(self.hits)},
            "asked": [{"rule": rule, "input": text} for rule, text in asked],
        }

    @classmethod
    def read(cls, document: Any) -> Data:
        """The data in a document. Raises UnreadableData."""
        try:
            if document["format"] != FORMAT:
                raise UnreadableData(f"format {document['format']} is not read")
            hits = {str(key): frozenset(map(str, tests)) for key, tests in document["hits"].items()}
            return cls(hits, frozenset(Asked(str(a["rule"]), str(a["input"])) for a in document["asked"]))
        except (KeyError, TypeError, AttributeError) as e:
            raise UnreadableData(f"no coverage data: {e!r}") from None


def _some(tests: frozenset[str]) -> frozenset[str]:
    return tests if len(tests) <= SOME else frozenset(sorted(tests)[:SOME])


def merge(parts: Iterable[Data]) -> Data:
    """All data in one."""
    whole = Data()
    for part in parts:
        whole = whole.merged(part)
    return whole


def write(data: Data, path: Path) -> None:
    """Write data, whole or not at all, readable by its owner alone: questions to policies hold what callers sent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=path.parent, prefix=".", suffix=".part", delete=False, encoding="utf-8") as file:
        json.dump(data.document(), file, indent=1, sort_keys=True)
    os.replace(file.name, path)


def load(paths: Iterable[Path]) -> Data:
    """The data of files, and of the `*.json` in folders, merged. Raises UnreadableData with the file's name."""
    found = Data()
    for path in paths:
        for file in sorted(path.glob("*.json")) if path.is_dir() else [path]:
            try:
                found = found.merged(Data.read(json.loads(file.read_bytes())))
            except (OSError, ValueError) as e:
                raise UnreadableData(f"{file}: {e}") from None
    return found
