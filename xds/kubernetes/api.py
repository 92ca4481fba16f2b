"""A Kubernetes API -> lists and events of labelled ConfigMaps. The one module that touches lightkube."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from xds.packs.packing import SOURCES

from .holdings import Event
from .objects import Source, Version, source_of

log = logging.getLogger("sidegate")
# Of every request it makes a line, and watches are asked for ever.
logging.getLogger("httpx2").setLevel(logging.WARNING)

PAGE = 50
"""ConfigMaps a page of a list: each can have a megabyte."""
WATCH_S = 240
"""How long the API is asked to keep a watch open; up to a quarter more, so that replicas do not all come back at once."""
SILENCE_S = 150.0
"""A watch is told a bookmark about every minute: one that is silent for longer may have lost its connection unnoticed."""


@dataclass(slots=True)
class Trouble(Exception):
    """The API cannot be read: `status` of its answer, or 0 if there was none; `wait` is how long it asked to be left alone."""

    message: str
    status: int = 0
    wait: float = 0.0

    @property
    def is_gone(self) -> bool:
        """Whether a watch asked for what the API does not remember any more (410): a list tells all anew."""
        return self.status == 410


class Api:
    """One connection's worth of client. `config` is a lightkube configuration; without one, that of the pod or KUBECONFIG."""

    def __init__(self, config: Any = None) -> None:
        import httpx2
        from lightkube import KubeConfig
        from lightkube.config.client_adapter import ConnectionParams
        from lightkube.core.exceptions import ConfigError
        from lightkube.core.generic_client import GenericAsyncClient
        from lightkube.resources.core_v1 import ConfigMap

        timeout = httpx2.Timeout(10.0, read=30.0)
        try:
            settled = config if config is not None else KubeConfig.from_env().get()
            # A proxy in the environment has no business between a pod and its API server.
            self._client: Any = GenericAsyncClient(
                ConnectionParams(timeout=timeout, trust_env=False), settled, "default"
            )
        except (ConfigError, OSError, KeyError, ValueError, AssertionError) as error:
            raise Trouble(f"there is no configuration for a Kubernetes API: {error}") from error
        self._silence = httpx2.Timeout(10.0, read=SILENCE_S)
        self._resource = ConfigMap

    async def close(self) -> None:
        await self._client.close()

    async def list(self, scope: str) -> tuple[list[Source], Version]:
        """Every labelled ConfigMap of a namespace, or of all (`*`), as of the version. Raises Trouble."""
        found: list[Source] = []
        follow: str | None = None
        while True:
            answer = await self._answer(scope, {"limit": str(PAGE), "continue": follow})
            found += [source for item in answer.get("items") or () if (source := _source(item)) is not None]
            metadata = answer.get("metadata") or {}
            follow = metadata.get("continue") or None
            if follow is None:
                return found, _version(metadata.get("resourceVersion"))

    async def _answer(self, scope: str, params: Mapping[str, str | None]) -> dict[str, Any]:
        request = self._client.build_adapter_request(self._request(scope, params))
        async with _told() as told:
            response = await self._client.send(request)
            _judge(response, response.content)
            told.answer = json.loads(response.content)
        if not isinstance(told.answer, dict):
            raise Trouble("the API's answer is no object")
        return told.answer

    async def watch(self, scope: str, since: Version) -> AsyncIterator[Event]:
        """Events after a version, until the API ends the watch. Raises Trouble."""
        params = {
            "allowWatchBookmarks": "true",
            "resourceVersion": str(since),
            "timeoutSeconds": str(int(WATCH_S * random.uniform(1, 1.25))),
        }
        asked = self._request(scope, params, watch=True)
        asked.timeout = self._silence
        request = self._client.build_adapter_request(asked)
        async with _told():
            response = await self._client.send(request, stream=True)
            try:
                if response.status_code != 200:
                    _judge(response, await response.aread())
                yield Event(since)
                async for line in response.aiter_lines():
                    if line.strip() and (event := _event(line)) is not None:
                        yield event
            finally:
                await response.aclose()

    def _request(self, scope: str, params: Mapping[str, str | None], *, watch: bool = False) -> Any:
        chosen = {"labelSelector": f"{SOURCES}=true", **params}
        return self._client.prepare_request("list", self._resource, namespace=scope, params=chosen, watch=watch)


class _told:
    """Turns what may go wrong with a request into Trouble."""

    answer: Any = None

    async def __aenter__(self) -> _told:
        return self

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        import httpx2
        from lightkube.core.exceptions import ConfigError

        if isinstance(error, httpx2.HTTPError | httpx2.StreamError | ConfigError | OSError):
            raise Trouble(f"the Kubernetes API cannot be reached: {str(error) or type(error).__name__}") from error
        if isinstance(error, ValueError | KeyError | TypeError):
            raise Trouble(f"the Kubernetes API's answer cannot be understood: {error}") from error


def _judge(response: Any, content: bytes) -> None:
    """Raises Trouble for an answer that is not 200."""
    if response.status_code == 200:
        return
    try:
        message = str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        message = f"HTTP {response.status_code}"
    after = response.headers.get("retry-after", "")
    raise Trouble(message, response.status_code, float(after) if after.isdigit() else 0.0)


def _event(line: str) -> Event | None:
    """One line of a watch. Raises Trouble if it tells an error, ValueError if it is none."""
    told = json.loads(line)
    kind, said = told["type"], told["object"]
    if kind == "ERROR":
        raise Trouble(str(said.get("message") or "the watch failed"), int(said.get("code") or 0))
    version = _version((said.get("metadata") or {}).get("resourceVersion"))
    if kind == "BOOKMARK":
        return Event(version)
    if kind not in ("ADDED", "MODIFIED", "DELETED"):
        return None
    return Event(version, source_of(said), kind == "DELETED")


def _version(text: Any) -> Version:
    try:
        return Version.of(text)
    except ValueError as error:
        raise Trouble(str(error)) from None


def _source(item: Any) -> Source | None:
    try:
        return source_of(item)
    except (ValueError, AttributeError) as error:
        log.warning("a ConfigMap is passed over: %s", error)
        return None
