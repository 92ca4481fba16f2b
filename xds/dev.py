"""sidegate.yaml's `dev` -> Dev: what `sidegate up` starts, signs and shows beside the gateway."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xds.diagnostics import Diagnostic, did_you_mean
from xds.settings import settings_document
from xds.settings.publishing import ALLOW, REFUSE
from xds.source.mappings import Walk

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


@dataclass(frozen=True, slots=True)
class DevProcess:
    """A process of the project's own. `ready` is a URL that answers once it is."""

    name: str
    command: tuple[str, ...]
    ready: str | None = None


@dataclass(frozen=True, slots=True)
class Try:
    """A request to show. `path` holds the query too; `token` names one of `Dev.tokens`; `body` is sent as JSON."""

    title: str
    method: str
    path: str
    token: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    expect: str = ""


@dataclass(frozen=True, slots=True)
class Dev:
    """The section. `keys` is where public keys are written; `tokens` are claims by name.

    `breaking` says that contracts may break clients of what is served: on one's own machine there are none."""

    keys: str | None = None
    processes: tuple[DevProcess, ...] = ()
    tokens: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tries: tuple[Try, ...] = ()
    breaking: bool = False


def parse_dev(files: Mapping[str, bytes], env: str | None = None) -> tuple[Dev, tuple[Diagnostic, ...]]:
    """Read the `dev` section out of a project's files; code `dev-invalid`. Values that are refused are left out."""
    document, _ = settings_document(files, env)
    if document is None or not isinstance(document.value, dict) or document.value.get("dev") is None:
        return Dev(), ()
    reader = _Reader(document)
    return reader.dev(document.value["dev"]), tuple(reader.found)


class _Reader(Walk):
    CODE = "dev-invalid"

    def dev(self, value: Any) -> Dev:
        section = self.mapping(value, "/dev", ("keys", "processes", "tokens", "try", "breaking"))
        processes = self.mapping(section.get("processes"), "/dev/processes").items()
        tokens = self.mapping(section.get("tokens"), "/dev/tokens").items()
        shown = section.get("try") or []
        breaking = section.get("breaking", REFUSE)
        if breaking not in (REFUSE, ALLOW):
            self.refuse("/dev/breaking", f"must be `{REFUSE}` or `{ALLOW}`")
        if not isinstance(shown, list):
            self.refuse("/dev/try", "must be a list of requests")
            shown = []
        return Dev(
            keys=self.text(section.get("keys"), "/dev/keys"),
            processes=tuple(p for name, each in processes if (p := self.process(str(name), each))),
            tokens={str(name): self.mapping(claims, f"/dev/tokens/{name}") for name, claims in tokens},
            tries=tuple(t for i, each in enumerate(shown) if (t := self.request(each, f"/dev/try/{i}", dict(tokens)))),
            breaking=breaking == ALLOW,
        )

    def process(self, name: str, value: Any) -> DevProcess | None:
        at = f"/dev/processes/{name}"
        section = value if isinstance(value, dict) else {"command": value}
        section = self.mapping(section, at, ("command", "ready"))
        command = section.get("command")
        try:
            words = shlex.split(command) if isinstance(command, str) else command
        except ValueError:
            words = None  # a quotation that does not end
        if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
            self.refuse(at, "needs a `command`: a list of words, or a text that is split as a shell would")
            return None
        ready = self.text(section.get("ready"), f"{at}/ready")
        return DevProcess(name, tuple(word.replace("{python}", sys.executable) for word in words), ready)

    def request(self, value: Any, at: str, tokens: Mapping[str, Any]) -> Try | None:
        section = self.mapping(value, at, ("title", "request", "token", "headers", "body", "expect"))
        method, _, path = str(section.get("request") or "").partition(" ")
        if method not in _METHODS or not path.startswith("/"):
            self.refuse(f"{at}/request" if "request" in section else at, "`request` is like `GET /path?query`")
            return None
        token = self.text(section.get("token"), f"{at}/token")
        if token is not None and token not in tokens:
            self.refuse(f"{at}/token", f"there is no token '{token}'", did_you_mean(token, tokens))
        headers = self.mapping(section.get("headers"), f"{at}/headers")
        return Try(
            title=str(section.get("title") or ""),
            method=method,
            path=path,
            token=token,
            headers={str(name): str(text) for name, text in headers.items()},
            body=section.get("body"),
            expect=str(section.get("expect") or ""),
        )

    def text(self, value: Any, at: str) -> str | None:
        if value is not None and not isinstance(value, str):
            self.refuse(at, "must be a text")
            return None
        return value

    def refuse(self, at: str, message: str, help: str | None = None) -> None:
        Walk.refuse(self, at, f"{at[1:].replace('/', '.')}: {message}", help)
