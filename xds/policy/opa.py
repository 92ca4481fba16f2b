"""input -> Decision, by an OPA server, through opa-python-client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, urlsplit

from .bundle import Bundle
from .decision import (
    ABSENT,
    CONFLICT,
    DENIED,
    ERROR,
    TIMEOUT,
    UNAVAILABLE,
    UNBOUND,
    UNDEFINED,
    Decision,
    decision_of,
    denial,
)
from .reasons import explained, place_of, reason_rules

_MAX_BYTES = 1 << 20
_STRICT = {"strict-builtin-errors": "true"}


class _Fault(Exception):
    """OPA answered that it could not decide; `code` is the decision's."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


class OpaEngine:
    """Asks the OPA server at `url`, which holds the policies already; only the input is sent.

    `deadline_s` bounds a whole decision. `load` takes bundles for their rules' names and places; the revision of a
    decision is theirs, since OPA's Data API names none.
    """

    prunes = False

    def __init__(self, url: str, deadline_s: float = 0.25) -> None:
        self._url, self._deadline = url, deadline_s
        self._bundles: Mapping[str, Bundle] = {}
        self._client: Any = None

    @property
    def revisions(self) -> Mapping[str, str]:
        """The revision of the bundle loaded here, by service."""
        return {service: bundle.revision for service, bundle in self._bundles.items()}

    async def load(self, bundles: Mapping[str, Bundle]) -> dict[str, str]:
        """Know these bundles' rules; none is refused. Whether OPA holds them is what `problems` finds out."""
        self._bundles = dict(bundles)
        if self._client is None:
            self._client = await _connect(self._url, self._deadline)
        return {}

    async def problems(self) -> tuple[str, ...]:
        """The default rules whose packages OPA does not hold, or that it does not answer."""
        found = []
        for service, bundle in sorted(self._bundles.items()):
            package = (bundle.default_entrypoint or "").rpartition("/")[0]
            try:
                if package and "result" not in await self._ask(package, {}, strict=False):
                    found.append(f"OPA holds no policy for {service}: data.{package.replace('/', '.')} is empty")
            except TimeoutError:
                found.append("OPA does not answer in time")
            except _Fault as e:
                found.append(f"OPA cannot answer: {e}")
        return tuple(dict.fromkeys(found))

    async def decide(self, service: str, entrypoint: str | None, input: Mapping[str, Any]) -> Decision:
        """The decision of a rule (None: the service's default) for an input document. It raises nothing: trouble denies."""
        bundle = self._bundles.get(service)
        path = entrypoint or (bundle.default_entrypoint if bundle else None)
        if bundle is None or path is None:
            return denial(UNBOUND, "no policy is loaded for the service")
        place = place_of(bundle, path, False)
        try:
            async with asyncio.timeout(self._deadline):
                return await self._decided(bundle, path, input)
        except TimeoutError:
            return denial(UNAVAILABLE, "OPA did not answer in time", bundle.revision)
        except _Fault as e:
            return denial(e.code, str(e), bundle.revision, place if e.code != UNAVAILABLE else None)

    async def value(self, service: str, rule: str, input: Mapping[str, Any]) -> Any:
        """The value of a rule that decides nothing, ABSENT if it has none. Raises ValueError where it has no answer."""
        try:
            async with asyncio.timeout(self._deadline):
                return (await self._ask(rule, input)).get("result", ABSENT)
        except (TimeoutError, _Fault) as e:
            raise ValueError(str(e) or "OPA did not answer in time") from None

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close_connection()

    async def _decided(self, bundle: Bundle, path: str, input: Mapping[str, Any]) -> Decision:
        answer = await self._ask(path, input)
        if "result" not in answer:
            decision = denial(UNDEFINED, None, bundle.revision, place_of(bundle, path, False))
        else:
            allowed = decision_of(answer["result"]).allowed
            decision = decision_of(answer["result"], bundle.revision, place_of(bundle, path, allowed))
        if decision.code not in (DENIED, UNDEFINED) or decision.reason is not None:
            return decision
        try:
            return await self._explained(decision, bundle, path, input)
        except (_Fault, TimeoutError):
            return decision

    async def _explained(self, decision: Decision, bundle: Bundle, path: str, input: Mapping[str, Any]) -> Decision:
        for rule in reason_rules(bundle, path):
            found = explained(decision, bundle, rule, (await self._ask(rule, input)).get("result"))
            if found is not decision:
                return found
        return decision

    async def _ask(self, path: str, input: Mapping[str, Any], strict: bool = True) -> dict[str, Any]:
        """The document OPA answers with. Raises _Fault, TimeoutError."""
        import aiohttp

        try:
            if self._client is None:
                raise _Fault(UNAVAILABLE, "the engine is closed")
            answer = await self._client.query_rule(dict(input), _in_url(path), query_params=_STRICT if strict else None)
        except (aiohttp.ClientError, OSError) as e:
            raise _Fault(UNAVAILABLE, f"OPA cannot be asked: {type(e).__name__}") from None
        except (ValueError, TypeError, RecursionError) as e:
            raise _Fault(ERROR, f"the input is no JSON: {type(e).__name__}") from None
        return dict(answer)


def _in_url(path: str) -> str:
    """A rule's path for a URL; the client would turn its dots into slashes."""
    return "/".join(quote(part, safe="").replace(".", "%2E") for part in path.split("/"))


async def _connect(url: str, deadline: float) -> Any:
    """The library's client, with its one hook for requests made strict: no redirects, no retries, bounded JSON objects only."""
    from opa_client.opa_async import AsyncOpaClient

    class Client(AsyncOpaClient):  # type: ignore[misc]
        @asynccontextmanager
        async def _request(self, method: str, url: str, **options: Any) -> AsyncIterator[_Answer]:
            async with super()._request(method, url, allow_redirects=False, **options) as response:
                yield await _read(response)

    parts = urlsplit(url)
    tls = parts.scheme == "https"
    client = Client(
        host=_host(parts.hostname), port=parts.port or (443 if tls else 80), ssl=tls, retries=0, timeout=deadline
    )
    await client._init_session()
    return client


def _host(host: str | None) -> str:
    return f"[{host}]" if host and ":" in host else host or "localhost"


class _Answer:
    """What the client asks of a response."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def raise_for_status(self) -> None:
        """Faults were raised while the response was read."""

    async def json(self) -> dict[str, Any]:
        """The whole document."""
        return self.document


async def _read(response: Any) -> _Answer:
    """A response as a JSON object. Raises _Fault for everything else; OPA's own errors keep their meaning."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _MAX_BYTES:
            raise _Fault(UNAVAILABLE, "OPA's answer is too long")
    try:
        document = json.loads(bytes(body))
    except (ValueError, RecursionError):
        raise _Fault(UNAVAILABLE, f"OPA answered {response.status} without JSON") from None
    if response.status != 200:
        raise _fault(response.status, document)
    if not isinstance(document, dict):
        raise _Fault(UNAVAILABLE, "OPA's answer is no object")
    return _Answer(document)


def _fault(status: int, document: Any) -> _Fault:
    """OPA's error document (https://www.openpolicyagent.org/docs/rest-api, "Errors")."""
    errors = document.get("errors") if isinstance(document, dict) else None
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    code = {
        "eval_conflict_error": CONFLICT,
        "eval_builtin_error": ERROR,
        "eval_type_error": ERROR,
        "eval_cancel_error": TIMEOUT,
    }.get(str(first.get("code")), UNAVAILABLE)
    return _Fault(code, str(first.get("message") or f"OPA answered {status}")[:300])
