"""Hostile contracts, made by code because most of them are too large or too ugly for a file: text -> a project's folder."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CONTRACT = "contracts/svc/v1.yaml"
POLICY = "package svc.authz\n\nallow if input.attributes.request.http.method == \"GET\"\n\nallow if input.parsed_body\n"
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
    """How `sidegate check` took a folder: exit code, output, seconds, peak memory in bytes, and what was opened."""

    exit: int
    output: str
    seconds: float
    peak: int
    events: list[list[str]] = field(default_factory=list)

    def opened(self) -> list[str]:
        """Files that were opened, without those of Python's own installation."""
        return [event[1].strip("'\"") for event in self.events if event[0] == "open"]

    def contacted(self) -> list[list[str]]:
        """Uses of the network, and programs that were started."""
        return [event for event in self.events if event[0] != "open"]


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    """A project with these files; contract, policy and settings are sound where they are not given."""
    for name, data in {CONTRACT: contract(), "policies/svc/authz.rego": POLICY, "sidegate.yaml": SETTINGS, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    return folder


def check(folder: Path, *arguments: str, timeout: float = 30.0) -> Checked:
    """Run `sidegate check` on a folder, watched. Killed after `timeout` seconds: exit -9."""
    log = folder.parent / f"{folder.name}.events"
    command = [sys.executable, "-m", "tests.blackbox.watched", str(log), "check", str(folder), *arguments]
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=_bound)
    try:
        output = process.communicate(timeout=timeout)[0].decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        process.kill()
        output = process.communicate()[0].decode("utf-8", "replace")
    seconds = time.monotonic() - began
    events = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    peak = max((int(event[1]) << 10 for event in events if event[0] == "peak"), default=0)
    return Checked(process.returncode, output, seconds, peak, [e for e in events if e[0] != "peak"])


def _bound() -> None:
    """Four GiB of address space: far above what is allowed, and below what would hurt this machine."""
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
