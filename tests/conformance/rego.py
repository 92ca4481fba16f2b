"""OPA's compliance cases, and how each engine is asked for one."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.waiting import PATIENCE_S
from xds.policy import process, worker
from xds.policy.negation import spelled_out
from xds.policy.outline import outline
from xds.policy.tokens import RegoSyntaxError, canonical, tokenize

CASES = Path(__file__).parents[2] / ".." / "shared" / "conformance" / "rego"
SECONDS = 2.0
_RULE = "sidegate_case/result"


@dataclass(frozen=True)
class Case:
    """One case: a query over modules, data and an input, and the bindings or the error to expect."""

    id: str
    query: str
    modules: tuple[str, ...]
    data: Any
    input: str
    strict: bool
    want: Any
    error: str | None
    ordered: bool


def cases() -> Iterator[Case]:
    """All cases, in the order of their files."""
    for file in sorted(CASES.glob("**/*.yaml")):
        found = yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)["cases"]
        for number, case in enumerate(found):
            yield _case(f"{file.parent.name}/{file.stem}#{number}", case)


def _case(id_: str, case: Mapping[str, Any]) -> Case:
    input_ = json.dumps(case["input"]) if "input" in case else case.get("input_term", "null")
    error = case.get("want_error_code") or ("error" if "want_error" in case else None)
    modules = tuple(case.get("modules") or ())
    ordered = not case.get("sort_bindings", False)
    strict = bool(case.get("strict_error"))
    return Case(
        id_, case["query"], modules, case.get("data") or {}, input_, strict, case.get("want_result"), error, ordered
    )


def verdict(case: Case, got: Any, error: str | None) -> str | None:
    """What is wrong with an engine's answer, or None."""
    if case.error:
        return None if error else f"expected {case.error}, got {got!r}"
    if error:
        return f"unexpected error {error[:200]}"
    want = case.want or []
    if not case.ordered:
        got, want = _sorted(got), _sorted(want)
    return None if _same(got, want) else f"expected {want!r}, got {got!r}"


def _sorted(value: Any) -> Any:
    """Arrays in one order, inside bindings too: `sort_bindings` says that theirs does not matter."""
    if isinstance(value, dict):
        return {key: _sorted(member) for key, member in value.items()}
    if isinstance(value, list):
        return sorted(map(_sorted, value), key=lambda item: json.dumps(item, sort_keys=True))
    return value


def _same(a: Any, b: Any) -> bool:
    """Equality of JSON values: numbers by value, booleans apart from numbers."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return bool(a == b)


class Embedded:
    """The embedded engine, in a worker process of its own that is replaced when it hangs or crashes."""

    def __init__(self) -> None:
        self.process: Any = None
        self.start()

    def start(self) -> None:
        """A new worker."""
        self.close()
        self.process, self.socket = process.spawn()
        self.socket.settimeout(SECONDS)

    def close(self) -> None:
        """End the worker."""
        if self.process is not None:
            self.socket.close()
            self.process.kill()
            self.process.wait()

    def ask(self, case: Case) -> tuple[Any, str | None]:
        """The bindings, or an error."""
        try:
            return self._ask(case)
        except RegoSyntaxError as e:
            return None, f"rego-unsafe: {e.message}"
        except TimeoutError:
            self.start()
            return None, "timeout"
        except OSError:
            self.start()
            return None, "crash"

    def _ask(self, case: Case) -> tuple[Any, str | None]:
        modules = {}
        for number, text in enumerate((*case.modules, _wrapped(case))):
            found, said = outline(f"{number}.rego", text)
            if found is None:
                return None, f"{said[0].code}: {said[0].message} at {said[0].span}"
            text = canonical(text, found.tokens)
            modules[f"{number}.rego"] = spelled_out(text, tokenize(text))
        order = {"id": 1, "modules": modules, "data": case.data, "entrypoints": [_RULE], "strict": case.strict}
        kind, payload = self._frame(b"P", json.dumps(order, ensure_ascii=False).encode())
        if kind != b"K":
            return None, payload.decode(errors="replace")
        kind, payload = self._frame(b"D", b"\x01\0\0\0\0\0" + _json_input(case.input))
        if kind in (b"E", b"C"):
            return None, payload.decode(errors="replace")
        return (json.loads(payload) if kind == b"V" else []), None

    def _frame(self, kind: bytes, payload: bytes) -> tuple[bytes, bytes]:
        self.socket.sendall(process.frame(kind, payload))
        return process._answer(self.socket)


def _wrapped(case: Case) -> str:
    """The query as a rule, since both engines are asked for rules: the set of its bindings."""
    names = sorted(set(case.want[0])) if case.want else []
    members = ", ".join(f'"{name}": {name}' for name in names)
    return f"package sidegate_case\n\nresult contains {{{members}}} if {{\n{case.query}\n}}\n"


def _json_input(text: str) -> bytes:
    try:
        return json.dumps(json.loads(text), ensure_ascii=False).encode()
    except ValueError:
        return b"null"


class Opa:
    """An OPA server, asked through its policy, data and query APIs."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        self.held = 0

    def ask(self, case: Case) -> tuple[Any, str | None]:
        """The bindings, or an error."""
        modules = [*enumerate(case.modules), (len(case.modules), _wrapped(case))]
        try:
            self._send("PUT", "/v1/data", json.dumps(case.data))
            if refused := self._put(modules):
                return None, refused
            text = json.dumps({"input": json.loads(_json_input(case.input))})
            strict = "true" if case.strict else "false"
            status, answer = self._send("POST", f"/v1/data/{_RULE}?strict-builtin-errors={strict}", text)
            return (answer.get("result", []), None) if status == 200 else (None, json.dumps(answer)[:300])
        finally:
            for number, _ in reversed(modules):
                self._send("DELETE", f"/v1/policies/m{number}")

    def _put(self, modules: list[tuple[int, str]]) -> str | None:
        """Put modules in an order in which each finds the functions it calls; why not, if there is none."""
        while modules:
            answers = [(number, text, *self._send("PUT", f"/v1/policies/m{number}", text)) for number, text in modules]
            left = [(number, text) for number, text, status, _ in answers if status != 200]
            if len(left) == len(modules):
                return json.dumps(answers[0][3])[:300]
            modules = left
        return None

    def _send(self, method: str, path: str, body: str | None = None) -> tuple[int, Any]:
        self.connection.request(method, path, body.encode() if body is not None else None)
        response = self.connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text else {}


__all__ = ["CASES", "Case", "Embedded", "Opa", "cases", "verdict", "worker"]
