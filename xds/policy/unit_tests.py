"""Rules called `test_...` -> whether they hold, by the embedded engine; and what they cover, by OPA, which can tell."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from xds.diagnostics import Diagnostic, Span, has_errors

from .bundle import load_bundle
from .given import given
from .outline import Outline, outline
from .process import WorkerError, asked
from .tokens import canonical, tokenize

SECONDS = 10.0
"""For one test in the embedded engine."""

OPA_SECONDS = 120.0
"""For all tests in OPA."""


class Result(StrEnum):
    """What became of a test. One that is false or undefined failed; an error is the engine's."""

    PASS = "pass"
    FAIL = "fail"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Tested:
    """One test. `rule` is its path, `catalog/authz_test/test_reader_lists`; `words` say why, where there is more to say."""

    rule: str
    place: Span
    result: Result
    words: str = ""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of one module, how much its tests ran (percent of lines that could be), the lines that none of them did, and those
    that one did."""

    percent: float
    lacking: tuple[int, ...]
    ran: tuple[int, ...] = ()


class OpaError(Exception):
    """OPA could not run the tests."""


def suites(files: Mapping[str, bytes]) -> tuple[str, ...]:
    """The services with policies, and `platform`, each of whose tests are one suite."""
    return tuple(sorted({f.split("/")[1] for f in files if f.startswith("policies/") and f.count("/") > 1}))


def run_suite(suite: str, files: Mapping[str, bytes]) -> tuple[list[Tested], tuple[Diagnostic, ...]]:
    """The tests of one folder of `policies/`, in the order of their places, and why modules of it cannot be read.

    Each test is asked in a process of its own, over the policies as the embedded engine is given them when it decides. What
    crashes the engine all the same (see `given`) is an ERROR, never a pass.
    """
    bundle, found = load_bundle(suite, files)
    outlines, said = _outlines(suite, files)
    problems = (*found, *said)
    if has_errors(problems):
        return [], problems
    modules = dict(bundle.programs) if bundle else {}
    inputs: dict[str, str] = {}
    for o in outlines:
        text = canonical(files[o.file].decode(), o.tokens)
        modules[o.file], names = given(text, tokenize(text))
        inputs |= {f"{o.package}/{test}": f"data.{o.package.replace('/', '.')}.{rule}" for test, rule in names.items()}
    order = {"modules": modules, "data": bundle.data if bundle else {}}
    tests = {r.path: r.span for o in outlines for r in o.rules if r.path.rpartition("/")[2].startswith("test_")}
    return [_run({**order, "input": inputs.get(rule)}, rule, place) for rule, place in tests.items()], problems


def _outlines(suite: str, files: Mapping[str, bytes]) -> tuple[list[Outline], list[Diagnostic]]:
    outlines: list[Outline] = []
    said: list[Diagnostic] = []
    for file in sorted(f for f in files if f.startswith(f"policies/{suite}/") and f.endswith("_test.rego")):
        try:
            found, problems = outline(file, files[file].decode())
        except UnicodeDecodeError:
            found, problems = None, (Diagnostic("rego-syntax", "the file is not UTF-8", Span(file)),)
        outlines += [found] if found else []
        said += problems
    return outlines, said


def _run(order: Mapping[str, Any], rule: str, place: Span) -> Tested:
    query = "data." + rule.replace("/", ".")
    try:
        kind, payload = asked(b"Q", {**order, "query": query}, SECONDS)
    except WorkerError as e:
        return Tested(rule, place, Result.ERROR, f"{e}; OPA may know better: `--engine opa`")
    if kind in (b"E", b"C"):
        return Tested(rule, place, Result.ERROR, " ".join(payload.decode(errors="replace").split())[:300])
    return Tested(rule, place, Result.PASS if kind == b"T" else Result.FAIL)


def run_opa(files: Mapping[str, bytes], opa: Path) -> list[Tested]:
    """The tests of all policies by `opa test`. Raises OpaError."""
    with _written(files) as folder:
        found = _opa([str(opa), "test", "--format", "json", "policies"], folder)
    if not isinstance(found, list):
        raise OpaError(json.dumps(found)[:300])
    return [_of_opa(test) for test in found]


def _of_opa(test: Mapping[str, Any]) -> Tested:
    at = test["location"]
    rule = "/".join((*test["package"].removeprefix("data.").split("."), test["name"]))
    result = Result.ERROR if test.get("error") else Result.FAIL if test.get("fail") else Result.PASS
    words = str(test.get("error", {}).get("message", "")) if isinstance(test.get("error"), dict) else ""
    return Tested(rule, Span(at["file"], at["row"], at["col"]), result, words)


def coverage(files: Mapping[str, bytes], opa: Path) -> dict[str, Coverage]:
    """Module -> Coverage, by `opa test --coverage` over all policies. Raises OpaError."""
    with _written(files) as folder:
        answer = _opa([str(opa), "test", "--coverage", "--format", "json", "policies"], folder)
    if not isinstance(answer, dict) or "files" not in answer:
        raise OpaError(json.dumps(answer)[:300])
    return dict(sorted(_coverage(answer)))


@contextmanager
def _written(files: Mapping[str, bytes]) -> Iterator[str]:
    """A folder with the policies, as OPA reads them."""
    with TemporaryDirectory() as folder:
        for file, data in files.items():
            if file.startswith("policies/"):
                path = Path(folder, file)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
        yield folder


def _opa(command: list[str], folder: str) -> Any:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=OPA_SECONDS, check=False)
        return json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired) as e:
        raise OpaError(str(e)) from None
    except ValueError:
        raise OpaError((done.stderr or done.stdout).strip()[:500]) from None


def _coverage(answer: Mapping[str, Any]) -> Iterator[tuple[str, Coverage]]:
    for file, found in answer["files"].items():
        if not file.endswith("_test.rego"):
            lacking, ran = tuple(_lines(found.get("not_covered", ()))), tuple(_lines(found.get("covered", ())))
            yield file, Coverage(float(found.get("coverage", 0.0)), lacking, ran)


def _lines(ranges: Any) -> Iterator[int]:
    seen: set[int] = set()
    for part in ranges:
        seen.update(range(part["start"]["row"], part["end"]["row"] + 1))
    yield from sorted(seen)
