"""D: hostile contracts. Each is refused with a place, quickly, in little memory; nothing is fetched, run or read outside."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.blackbox import hostile
from tests.blackbox.hostile import CONTRACT, POLICY, SETTINGS, Checked, Checker, contract, reading

SECONDS = 1.0  # of CPU beyond what an ordinary contract takes: this machine may be busy with other things
GROWTH = 100 << 20


@dataclass(frozen=True)
class Document:
    """One row: files of the project, the exit codes that are right, what must be said, and where."""

    id: str
    files: dict[str, str | bytes]
    exit: tuple[int, ...] = (1,)
    says: str = ""
    place: str = r"v1\.yaml:\d+:\d+"
    links: dict[str, str] = field(default_factory=dict)
    seconds: float = SECONDS

    def __str__(self) -> str:
        return self.id


def doc(id: str, text: str | bytes, *, exit: tuple[int, ...] = (1,), says: str = "", **more: Any) -> Document:
    """A row with one contract."""
    return Document(id, {CONTRACT: text}, exit, says, **more)


def schema(value: Any, **schemas: Any) -> str:
    return contract(value, components={"schemas": schemas} if schemas else {})


def ref(target: str) -> str:
    return schema({"$ref": target})


def nested(text: str, depth: int) -> str:
    return contract().replace('"hostile"', text * depth)


TREE = {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Tree"}}}
ALIASES = "\n".join(
    ["x-l0: &l0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    + [f"x-l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 10)]
)  # fmt: skip
PLAIN = """openapi: 3.1.0
info: {title: t, version: "1"}
security: []
paths:
  /things:
    get: {operationId: read, responses: {"200": {description: any}}}
"""
FAN = {f"S{n}": {"allOf": [{"$ref": f"#/components/schemas/S{n + 1}"}] * 10} for n in range(9)} | {
    "S9": {"type": "object"}
}
LADDER: Any = {"type": "object"}
for _ in range(20):
    LADDER = {"oneOf": [{"properties": {"a": LADDER}}, {"properties": {"a": {"type": "string"}}}]}
RUNGS = {f"R{n}": {"oneOf": [{"$ref": f"#/components/schemas/R{n + 1}"}, {"allOf": [{"$ref": f"#/components/schemas/R{n + 1}"}]}]}
         for n in range(20)} | {"R20": {"type": "object"}}  # fmt: skip
TWO_PATHS = PLAIN + '  /things:\n    get: {operationId: again, responses: {"200": {description: any}}}\n'
UNKNOWN_SCHEME = contract(paths=reading(security=[{"nowhere": []}]))
TITLED = PLAIN.replace("title: t", 'title: "\\e[2J\\e[31mowned\\u202e\\u0007<script>"')


def templates(*paths: str) -> str:
    """A GET on each path template, whose variables are declared."""
    made: dict[str, Any] = {}
    for number, path in enumerate(paths):
        names = re.findall(r"\{(\w+)\}", path)
        parameters = [{"name": n, "in": "path", "required": True, "schema": {"type": "string"}} for n in names]
        made |= reading(path, operationId=f"read{number}", parameters=parameters)
    return contract(paths=made)


DOCUMENTS = [
    doc("D00-sound", contract(), exit=(0,), place=""),
    doc("D00-plain", PLAIN, exit=(0,), place=""),
    doc("D01", schema({"$ref": "#/components/schemas/Tree"}, Tree=TREE), exit=(0,), place=""),
    doc("D02-cycle", schema({"$ref": "#/components/schemas/A"}, A={"$ref": "#/components/schemas/B"}, B={"$ref": "#/components/schemas/A"})),
    doc("D02-itself", schema({"$ref": "#/components/schemas/A"}, A={"$ref": "#/components/schemas/A"})),
    doc("D02-through-all-of", schema({"$ref": "#/components/schemas/A"}, A={"allOf": [{"$ref": "#/components/schemas/A"}]})),
    doc("D04-file", ref("file:///etc/passwd")),
    doc("D04-unc", ref("\\\\host\\share\\x.json")),
    doc("D04-gopher", ref("gopher://127.0.0.1:70/1")),
    doc("D04-http", ref("http://127.0.0.1:@port@/schema.json")),
    doc("D04-http-parameter", contract(paths=reading(parameters=[{"$ref": "http://127.0.0.1:@port@/p.json"}]))),
    doc("D04-http-path-item", contract(paths={"/things": {"$ref": "http://127.0.0.1:@port@/p.json"}})),
    doc("D04-dynamic", schema({"$dynamicRef": "http://127.0.0.1:@port@/schema.json#x"})),
    doc("D04-meta-schema", schema({"$schema": "http://127.0.0.1:@port@/meta.json", "type": "object"})),
    doc("D04-no-scheme", ref("//127.0.0.1:@port@/schema.json")),
    doc("D05-parents", ref("../../../../../../../../etc/passwd")),
    doc("D05-secret", ref("../../../secret.json")),
    doc("D05-encoded", ref("%2e%2e/%2e%2e/%2e%2e/secret.json")),
    doc("D05-encoded-slash", ref("..%2f..%2f..%2fsecret.json")),
    doc("D05-absolute", ref("/etc/passwd")),
    doc("D05-nul", ref("part.json\0")),
    doc("D05-policies", ref("../../policies/svc/data.json")),
    Document("D05-link", {CONTRACT: ref("link.json")}, links={"contracts/svc/link.json": "../../../secret.json"}, place=""),
    Document("D05-link-folder", {CONTRACT: ref("out/secret.json")}, links={"contracts/svc/out": "../../.."}, place=""),
    Document("D05-link-to-a-device", {CONTRACT: ref("zero.json")}, links={"contracts/svc/zero.json": "/dev/zero"}, place=""),
    Document("D05-link-round", {CONTRACT: ref("loop.json")}, links={"contracts/svc/loop.json": "loop.json"}, place=""),
    Document("D05-link-up", {CONTRACT: contract()}, (0, 1), links={"contracts/svc/deep": "../.."}, place=""),
    doc("D07-aliases", PLAIN + ALIASES, says="document-budget"),
    doc("D07-alias-of-itself", PLAIN + "x-a: &a [*a]\n"),
    doc("D07-fan-out", schema({"$ref": "#/components/schemas/S0"}, **FAN), exit=(0, 1), place=""),
    doc("D07-merge-keys", PLAIN + "x-a: &a {k: v}\nx-b: {<<: *a}\n", exit=(0, 1), place=""),
    doc("D08-apply", PLAIN + 'x-a: !!python/object/apply:os.system ["touch @canary@"]\n', says="yaml-tag"),
    doc("D08-name", PLAIN + "x-a: !!python/name:os.system ''\n", says="yaml-tag"),
    doc("D08-other", PLAIN + "x-a: !exec touch @canary@\n", says="yaml-tag"),
    doc("D08-binary", PLAIN + "x-a: !!binary aGVsbG8=\n", says="yaml-tag"),
    doc("D08-in-a-key", PLAIN + "? !!python/object/apply:os.system ['touch @canary@']\n: 1\n"),
    doc("D10-json", contract().replace('"hostile"', "[" * 100_000 + "]" * 100_000)),
    doc("D10-json-open", "[" * 100_000),
    doc("D10-json-objects", '{"a":' * 100_000 + "1" + "}" * 100_000),
    doc("D10-yaml-flow", PLAIN + "x-a: " + "[" * 100_000 + "]" * 100_000 + "\n"),
    doc("D10-yaml-block", PLAIN + "x-a:\n" + "".join(" " * n + "- \n" for n in range(1, 1_500)) + "\n"),
    doc("D10-yaml-inline", PLAIN + "x-a: " + "- " * 100_000 + "\n"),
    doc("D10-yaml-questions", PLAIN + "? " * 50_000 + "\n"),
    doc("D11-paths", TWO_PATHS, says="duplicate-key"),
    doc("D11-security", PLAIN + "security: [{bearer: []}]\n", says="duplicate-key"),
    doc("D11-json", '{"openapi": "3.1.0", "openapi": "3.0.0"}', says="duplicate-key"),
    doc("D11-json-escaped", '{"openapi": "3.1.0", "op\\u0065napi": "3.0.0"}', says="duplicate-key"),
    doc("D13-nested-plus", schema({"type": "string", "pattern": "^(a+)+$"}), exit=(0, 1), place=""),
    doc("D13-stars", schema({"type": "string", "pattern": "(.*)*="}), exit=(0, 1), place=""),
    doc("D13-alternation", schema({"type": "string", "pattern": "|".join(f"w{n}" for n in range(2_000))}), exit=(0, 1), place=""),
    doc("D13-repeats", schema({"type": "string", "pattern": "((a{0,1000}){0,1000}){0,1000}"}), exit=(1,)),
    doc("D13-not-a-regex", schema({"type": "string", "pattern": "("})),
    doc("D14-lookahead", schema({"type": "string", "pattern": "^(?!admin).*$"}), exit=(0, 1), place=""),
    doc("D14-back-reference", schema({"type": "string", "pattern": "(a)\\1"}), exit=(0, 1), place=""),
    doc("D16-ladder", schema(LADDER), exit=(0, 1), place=""),
    doc("D16-rungs", schema({"$ref": "#/components/schemas/R0"}, **RUNGS), exit=(0, 1), place=""),
    doc("D17-two-names", templates("/a/{x}", "/a/{y}")),
    doc("D17-slash", templates("/a/", "/a"), exit=(0, 1), place=""),
    doc("D17-encoded", templates("/a/b", "/%61/b")),
    doc("D17-dots", templates("/a/../b")),
    doc("D17-double", templates("/a//b")),
    doc("D17-ambiguous", templates("/a/{x}.json", "/a/b.{y}"), exit=(0, 1), place=""),
    doc("D17-name-twice", templates("/a/{x}/{x}")),
    doc("D17-query", contract(paths=reading("/a?b=c"))),
    doc("D17-fragment", contract(paths=reading("/a#b"))),
    doc("D17-relative", contract(paths=reading("a"))),
    doc("D17-open-brace", contract(paths=reading("/a/{x"))),
    doc("D17-undeclared", contract(paths=reading("/a/{x}"))),
    doc("D19-script", contract(paths=reading(operationId="<script>alert(1)</script>")), exit=(0, 1), place=""),
    doc("D19-newline", contract(paths=reading(operationId="a\r\nx-evil: 1"))),
    doc("D19-parents", contract(paths=reading(operationId="../../etc/passwd")), exit=(0, 1), place=""),
    doc("D19-64-KiB", contract(paths=reading(operationId="a" * 65_536))),
    doc("D19-twice", contract(paths=reading("/a") | reading("/b"))),
    doc("D19-nul", contract(paths=reading(operationId="a\0b"))),
    doc("D19-format", contract(paths=reading(operationId="%REQ(authorization)%")), exit=(0, 1), place=""),
    doc("D20-escapes", TITLED, exit=(0, 1), place=""),
    doc("D20-in-a-message", contract(paths=reading(operationId="\x1b[31mred\u202e"))),
    doc("D20-in-a-key", PLAIN + '"\\e[31mx\\u202e": 1\n'),
    doc("D22-anonymous", contract(paths=reading(security=[{}])), exit=(0, 1), place=""),
    doc("D22-unknown", UNKNOWN_SCHEME),
    doc("D22-not-yet", contract(paths=reading(security=[{"key": []}]),
                                components={"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}})),
    doc("D22-half", contract(paths=reading(security=[{"key": []}, {}]),
                             components={"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}})),
    doc("D25-swagger", json.dumps({"swagger": "2.0", "info": {"title": "t", "version": "1"}, "paths": {}})),
    doc("D25-3.2", contract(version="3.2.0"), exit=(0,), place=""),
    doc("D25-4", contract(version="4.0.0")),
    doc("D25-number", PLAIN.replace("3.1.0", "3.1")),
    doc("D26-external-value", contract(paths=reading(parameters=[{
        "name": "q", "in": "query", "schema": {"type": "string"}, "examples": {"x": {"externalValue": "http://127.0.0.1:@port@/x"}}}])), exit=(0,), place=""),
    doc("D26-mapping", schema({"type": "object", "required": ["k"], "properties": {"k": {"type": "string"}}, "discriminator": {
        "propertyName": "k", "mapping": {"a": "http://127.0.0.1:@port@/a.json"}}}), exit=(0, 1), place=""),
    doc("D-empty", b"", place=r"v1\.yaml"),
    doc("D-null", "null\n", place=r"v1\.yaml"),
    doc("D-list", "[]", place=r"v1\.yaml"),
    doc("D-binary", bytes(range(256)) * 40, place=r"v1\.yaml"),
    doc("D-utf16", contract().encode("utf-16"), exit=(0, 1), place=""),
    doc("D-nul", PLAIN.encode() + b"\0"),
    doc("D-huge-number", schema({"type": "integer", "maximum": 0}).replace('"maximum": 0', '"maximum": ' + "9" * 5_000)),
    doc("D-infinite-number", schema({"type": "number", "maximum": 0}).replace('"maximum": 0', '"maximum": 1e999')),
    doc("D-max-length", schema({"type": "string", "maxLength": -1})),
    doc("D-max-items-float", schema({"type": "array", "maxItems": 1e308}), exit=(0, 1), place=""),
    doc("D-typo-in-x-sidegate", contract(paths=reading(**{"x-sidegate": {"mod": "off"}}))),
    doc("D-body-limit", contract(paths=reading(**{"x-sidegate": {"mode": "sometimes"}}))),
    Document("D-policy-syntax", {"policies/svc/authz.rego": "package svc.authz\n\nallow if {\n"}, place=r"authz\.rego:\d+:\d+"),
    Document("D-policy-builtin", {"policies/svc/authz.rego": POLICY + '\nx := http.send({"url": "http://127.0.0.1:@port@"})\n'}, (0, 1), place=""),
    Document("Z08", {"policies/svc/authz.rego": "package svc.authz\n\ndefault allow := true\n"}, says="policy-open", place=r"authz\.rego:3:\d+"),
    Document("D-settings-alias", {"sidegate.yaml": SETTINGS + ALIASES}, place=r"sidegate\.yaml:\d+"),
    Document("D-settings-keys", {"sidegate.yaml": SETTINGS + "security: {bearer: {issuer: i, audiences: [a], jwks: {file: ../../secret.json}}}\n"},
             place=r"sidegate\.yaml:\d+:\d+"),
    Document("D-settings-keys-remote", {"sidegate.yaml": SETTINGS + "security: {b: {issuer: i, audiences: [a], jwks: {file: 'http://127.0.0.1:@port@/k'}}}\n"},
             place=r"sidegate\.yaml:\d+:\d+"),
]  # fmt: skip


@pytest.fixture(scope="module")
def checker() -> Iterator[Checker]:
    with Checker() as running:
        yield running


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory, checker: Checker) -> Checked:
    """How an ordinary contract is taken, to measure the others against."""
    folder = tmp_path_factory.mktemp("sound")
    checked = checker.check(hostile.write(folder / "project", {}))
    assert checked.exit == 0, checked.output
    return checked


@pytest.fixture(scope="module")
def listener() -> Iterator[socket.socket]:
    """What must never be called."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def _fill(files: dict[str, str | bytes], words: dict[str, str]) -> dict[str, str | bytes]:
    filled: dict[str, str | bytes] = {}
    for name, data in files.items():
        for word, value in words.items():
            data = data.replace(word, value) if isinstance(data, str) else data
        filled[name] = data
    return filled


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_document(
    document: Document, tmp_path: Path, sound: Checked, checker: Checker, listener: socket.socket
) -> None:
    canary = tmp_path / "canary"
    (tmp_path / "secret.json").write_text('{"type": "object", "description": "outside"}')
    words = {"@port@": str(listener.getsockname()[1]), "@canary@": str(canary)}
    folder = hostile.write(tmp_path / "project", _fill(document.files, words))
    for name, target in document.links.items():
        (folder / name).symlink_to(target)

    checked = checker.check(folder)

    story = f"{document.id}: exit {checked.exit} in {checked.seconds:.2f} s of CPU, peak {checked.peak >> 20} MiB\n{checked.output[-3000:]}"
    assert checked.exit in document.exit, story
    assert "Traceback" not in checked.output, story
    assert not document.says or document.says in checked.output, story
    assert checked.exit == 0 or re.search(document.place, checked.output), f"no place like {document.place}\n{story}"
    assert checked.seconds < sound.seconds + document.seconds, story
    assert checked.peak - sound.peak < GROWTH, story
    assert "\x1b" not in checked.output, f"terminal escapes\n{checked.output!r}"
    assert "\u202e" not in checked.output, f"bidi controls\n{checked.output!r}"
    assert not canary.exists(), "a tag was run"
    assert not checked.contacted(), f"{checked.contacted()}\n{story}"
    outside = [
        name
        for name in checked.opened()
        if "secret.json" in name or "/etc/passwd" in name or name.startswith("/dev/zero")
    ]
    assert not outside, f"opened {outside}\n{story}"
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.slow
def test_d28_5000_operations(tmp_path: Path, sound: Checked, checker: Checker) -> None:
    """Compiles in seconds; what it took is printed."""
    paths: dict[str, Any] = {}
    for number in range(5_000):
        paths |= reading(f"/things/{number}/parts", operationId=f"read{number}")
    checked = checker.check(hostile.write(tmp_path / "project", {CONTRACT: contract(paths=paths)}))
    print(f"5,000 operations: {checked.seconds:.1f} s, {checked.peak >> 20} MiB")
    assert checked.exit == 0, checked.output[-2000:]
    assert checked.seconds < 20


def test_one_hostile_service_holds_up_no_other(tmp_path: Path, checker: Checker) -> None:
    """Findings name the hostile service's file, and only that."""
    other = {"contracts/good/v1.yaml": contract(), "policies/good/authz.rego": POLICY.replace("svc", "good")}
    settings = 'services: {svc: {upstream: "http://127.0.0.1:9"}, good: {upstream: "http://127.0.0.1:9", hosts: [good.test]}}\n'
    folder = hostile.write(tmp_path / "project", {CONTRACT: "[" * 100_000, **other, "sidegate.yaml": settings})
    checked = checker.check(folder)
    assert checked.exit == 1
    assert "good/v1.yaml" not in checked.output, checked.output
