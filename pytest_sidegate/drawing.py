"""Contract -> schemathesis' requests, kept and broken, sent through the gateway; and what must become of each.

from pytest_sidegate import generated

@generated("catalog", "v1", "positive", token="admin")
def test_kept(drawn):
    drawn.check()
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pytest_sidegate.client import Client, Token
from pytest_sidegate.named import header_of
from pytest_sidegate.responses import document_of
from pytest_sidegate.wire import Written
from sidecar.codes import CODES
from xds.native.versions import Choice, Kind, choice_of

if TYPE_CHECKING:
    from xds.model import Version

Mode = Literal["positive", "negative"]

EXAMPLES = 25
"""Requests an operation, unless more are asked for."""


class Misjudged(AssertionError):
    """The gateway refused what keeps the contract, or let through what does not."""


@dataclass(slots=True)
class Generated:
    """Makes schemas for schemathesis, and checks what becomes of their requests. `client` asks the gateway."""

    client: Client
    _known: dict[tuple[str, str, Mode], Any] = field(default_factory=dict)

    def schema(self, service: str, version: str, mode: Mode) -> Any:
        """A schemathesis schema of a contract, whose requests go to the gateway; made once.

        Raises `LookupError` for a contract that there is not.
        """
        import schemathesis
        from schemathesis.config import SchemathesisConfig

        key = (service, version, mode)
        if key not in self._known:
            found = self.client.staged.version(service, version)
            generation = {"mode": mode, "deterministic": True, "with-security-parameters": False}
            base = self.client.base + self.client.staged.base(found)
            config = SchemathesisConfig.from_dict({"base-url": base, "generation": generation})
            document = document_of(self.client.staged.files, found)
            self._known[key] = schemathesis.openapi.from_dict(document, config=config)
        return self._known[key]

    def drawn(self, service: str, version: str, operation: str, mode: Mode, token: Token, examples: int) -> Drawn:
        """The requests of one operation. Raises `LookupError` if schemathesis finds no such operation in the contract."""
        known = self.client.staged.version(service, version)
        wanted = next((o for o in known.operations if o.id == operation), None)
        base = self.client.staged.base(known)
        for result in self.schema(service, version, mode).get_all_operations():
            found = result.ok()
            if wanted and (found.method.upper(), base + found.path) == (wanted.method, wanted.path.text):
                return Drawn(self, known, found, mode, token, examples)
        raise LookupError(f"schemathesis finds no operation {operation} in {service} {version}")

    def check(self, case: Any, version: Version, mode: Mode, token: Token = None) -> None:
        """Send a request and check what becomes of it. Raises `Misjudged`.

        One that keeps the contract must not be refused by it; one that breaks it must be refused. What schemathesis broke and
        the wire made whole again (openapi-core judges the request as it was sent) says nothing, and is passed over.
        """
        claims = self.client.claims(token)
        headers = {"authorization": f"Bearer {self.client.staged.token(claims)}"} if claims is not None else {}
        choice = choice_of(version)
        params: dict[str, str] = {}
        if choice is not None and not choice.default:
            (params if choice.kind is Kind.QUERY else headers).update([_naming(choice)])
        response = case.call(headers=headers, params=params, timeout=self.client.timeout, allow_redirects=False)
        code = _code(response)
        line = f"{response.request.method} {response.request.path_url} -> {response.status_code} {code or ''}".strip()
        unsent = code == "missing-body" and not response.request.body  # on the wire, an empty body is none
        if mode == "positive" and code in CODES and code != "insufficient-scope" and not unsent:
            why = response.content.decode(errors="replace")
            raise Misjudged(f"it keeps the contract and is refused: {line}\n{why}")
        if mode == "negative" and not 400 <= response.status_code < 500:
            if self._is_whole(version, response.request):
                from hypothesis import reject

                reject()
            raise Misjudged(f"it breaks the contract and is not refused: {line}")

    def _is_whole(self, version: Version, request: Any) -> bool:
        """Whether a request keeps the contract as it was sent."""
        body = request.body or b""
        sent = Written(
            request.method,
            request.path_url,
            tuple((name.lower(), _text(value)) for name, value in request.headers.items()),
            body.encode() if isinstance(body, str) else body,
        )
        found = self.client._chosen(sent)
        return found is not None and not self.client.judge(version).request(found.operation, sent)


@dataclass(frozen=True, slots=True)
class Drawn:
    """The generated requests of one operation: as many as `examples`, always the same ones."""

    generated: Generated
    version: Version
    operation: Any
    mode: Mode
    token: Token
    examples: int

    def check(self) -> None:
        """Send each. Raises `Misjudged` for the first that is misjudged; skips where nothing can be broken."""
        from hypothesis import HealthCheck, Phase, given, settings
        from schemathesis import GenerationMode
        from schemathesis.core.control import SkipTest

        strategy = self.operation.as_strategy(generation_mode=GenerationMode(self.mode))
        patient = settings(
            max_examples=self.examples,
            deadline=None,
            derandomize=True,
            database=None,
            report_multiple_bugs=False,
            phases=[Phase.generate],  # to shrink would take hundreds of requests more
            suppress_health_check=list(HealthCheck),
        )

        @patient
        @given(case=strategy)
        def each(case: Any) -> None:
            self.generated.check(case, self.version, self.mode, self.token)

        try:
            each()
        except SkipTest as nothing:
            import pytest

            pytest.skip(f"{self.operation.label}: {nothing}")


def _naming(choice: Choice) -> tuple[str, str]:
    """The query parameter or header that names a version."""
    return (choice.name, choice.value) if choice.kind is Kind.QUERY else header_of(choice)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _code(response: Any) -> str | None:
    """The code of a refusal of the gateway's."""
    kinds = response.headers.get("content-type") or [""]
    kind = kinds[0] if isinstance(kinds, list) else kinds
    if response.status_code < 400 or "problem+json" not in kind:
        return None
    try:
        document: Mapping[str, Any] = json.loads(response.content)
    except ValueError:
        return None
    code = document.get("code") if "traceId" in document else None
    return code if isinstance(code, str) else None
