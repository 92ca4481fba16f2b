"""Hostile contracts, made by code because most of them are too large or too ugly for a file: text -> a project's folder."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CONTRACT = "contracts/svc/v1.yaml"
POLICY = 'package svc.authz\n\nallow if input.attributes.request.http.method == "GET"\n\nallow if input.parsed_body\n'
SETTINGS = 'services: {svc: {upstream: "http://127.0.0.1:9"}}\n'


def contract(schema: Any = None, paths: dict[str, Any] | None = None, version: str = "3.1.0", **members: Any) -> str:
    """A small sound contract as JSON (which is YAML), with a body schema, other paths, or other members."""
    media = {"application/json": {"schema": {"type": "object"} if schema is None else schema}}
    answers = {"200": {"description": "any"}}
    operation = {"operationId": "save", "requestBody": {"required": True, "content": media}, "responses": answers}
    document = {
        "openapi": version,
        "info": {"title": "hostile", "version": "1"},
        "security": [],
        "paths": {"/things": {"post": operation}} if paths is None else paths,
        **members,
    }
    return json.dumps(document, indent=1)


def reading(path: str = "/things", **members: Any) -> dict[str, Any]:
    """Paths with one GET operation, its members changed."""
    return {path: {"get": {"operationId": "read", "responses": {"200": {"description": "any"}}, **members}}}


@dataclass(frozen=True)
class Checked:
    """How `sidegate check` took a folder: exit code, output, CPU seconds, peak memory in bytes, and what was opened."""

    exit: int
    output: str
    seconds: float
    peak: int
    events: list[list[str]] = field(default_factory=list)

    def opened(self) -> list[str]:
        """Files that were opened, without those of Python's own installation."""
        return [event[1].strip("'\"") for event in self.events if event[0] == "open"]

    def contacted(self) -> list[list[str]]:
        """Uses of the network, and programs that were started, but for the process that compiles policies."""
        return [event for event in self.events if event[0] != "open" and "policy/worker.py" not in event[-1]]


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    """A project with these files; contract, policy and settings are sound where they are not given."""
    for name, data in {
        CONTRACT: contract(),
        "policies/svc/authz.rego": POLICY,
        "sidegate.yaml": SETTINGS,
        **files,
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    return folder


class Checker:
    """`sidegate check`, over and over, each time in a process of its own (see `watched`). Use as a context manager."""

    def __enter__(self) -> Checker:
        command = [sys.executable, "-W", "ignore", "-m", "tests.blackbox.watched"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)

    def check(self, folder: Path, *arguments: str) -> Checked:
        """Check a folder. A check that takes longer than 30 s is killed: exit -14."""
        log, out = folder.parent / f"{folder.name}.events", folder.parent / f"{folder.name}.out"
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(
            json.dumps([str(log), str(out), ["check", str(folder), *arguments]]), file=self._process.stdin, flush=True
        )
        code, seconds, peak = json.loads(self._process.stdout.readline())
        events = [json.loads(line) for line in log.read_text().splitlines()]
        return Checked(code, out.read_text(errors="replace"), seconds, peak << 10, events)
