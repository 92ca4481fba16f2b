"""The tables of codes -> CODES.md, BREAKING.md, x-sidegate.schema.json, problem-codes.json.

`python -m tests.published` writes them; a test sees that they are up to date.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from sidecar.codes import CODES as CONTRACT
from tests.charts import documents
from xds.contract.diff import CHANGES as BREAKING
from xds.contract.extension import schema
from xds.diagnostics import CODES as DIAGNOSTICS
from xds.envoy.replies import REPLIES
from xds.native.errors import SERVICE
from xds.policy.decision import CODES as POLICY
from xds.policy.decision import UNAVAILABLE

FILE = Path(__file__).parents[1] / "CODES.md"
PROBLEMS = Path(__file__).parents[1] / "xds" / "problem-codes.json"
CHANGES = Path(__file__).parents[1] / "BREAKING.md"
SCHEMA = Path(__file__).parents[1] / "xds" / "x-sidegate.schema.json"

HEAD = """\
# Codes

Written by `python -m tests.published` from the tables in the code; do not edit. Codes are stable: clients, alerts and
waivers may rely on them.
"""


CHANGES_HEAD = """\
# Changes that break clients

Written by `python -m tests.published` from the table in the code; do not edit. `sidegate diff` finds them; an error breaks
clients, a warning may. The ids are stable, and oasdiff's where the change is the same. A contract names those that may
happen: `x-sidegate: {breaking: [{id: ..., operation: "GET /path", reason: ...}]}`.
"""


def text() -> str:
    """The page."""
    return "\n".join((HEAD, *_problems(), "", *_diagnostics(), ""))


def changes() -> str:
    """The page of changes that break clients."""
    rows = [f"| `{id_}` | {row.severity} | {row.meaning} |" for id_, row in BREAKING.items()]
    return "\n".join((CHANGES_HEAD, "| id | severity | meaning |", "|---|---|---|", *rows, ""))


def published_schema() -> str:
    """The JSON Schema of `x-sidegate`, as a file."""
    return json.dumps(schema(), indent=2) + "\n"


def _problems() -> Iterator[str]:
    yield "## Problem documents"
    yield ""
    yield "`code` of a refusal (RFC 9457, `application/problem+json`) and of its `errors`."
    yield ""
    yield "| code | status | from | meaning |"
    yield "|---|---|---|---|"
    rows = _rows()
    for (code, status), (source, meaning) in sorted(rows.items()):
        yield f"| `{code}` | {status or 'any'} | {source} | {meaning} |"


def _rows() -> dict[tuple[str, int], tuple[str, str]]:
    rows = {(reply.code, reply.status): ("Envoy", reply.detail) for reply in reversed(REPLIES)}
    rows |= {(code, row.status): ("contract", row.meaning) for code, row in CONTRACT.items()}
    rows |= {(code, 503 if code == UNAVAILABLE else 403): ("policy", meaning) for code, meaning in POLICY.items()}
    rows[SERVICE, 0] = ("Envoy", "The service failed; where the contract says so, its own answer is not shown.")
    return rows


def problem_codes() -> str:
    """The codes of refusals with their statuses, as a file: what a contract may word (`errors`)."""
    found: dict[str, list[int]] = {}
    for code, status in sorted(_rows()):
        found.setdefault(code, []).append(status)
    return json.dumps(found, indent=1) + "\n"


def _diagnostics() -> Iterator[str]:
    yield "## Diagnostics"
    yield ""
    yield "What `sidegate check` says of contracts, policies and settings. An error refuses the service; its last good form"
    yield "goes on."
    yield ""
    yield "| code | severity | meaning |"
    yield "|---|---|---|"
    for code, row in sorted(DIAGNOSTICS.items()):
        yield f"| `{code}` | {row.severity} | {row.meaning} |"


if __name__ == "__main__":
    FILE.write_text(text())
    SCHEMA.write_text(published_schema())
    PROBLEMS.write_text(problem_codes())
    CHANGES.write_text(changes())
    for path, made in documents.files().items():
        path.write_text(made)
