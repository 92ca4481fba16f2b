"""A proxy's side of ADS in a few lines: what a node with a certificate is given, or why it is refused."""

from __future__ import annotations

import itertools
import queue
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from tests.features.pki import Pair
from tests.waiting import PATIENCE_S

warnings.filterwarnings("ignore", category=DeprecationWarning, module="envoy_data_plane.*")

METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
TYPES = {
    "clusters": "envoy.config.cluster.v3.Cluster",
    "listeners": "envoy.config.listener.v3.Listener",
    "routes": "envoy.config.route.v3.RouteConfiguration",
    "secrets": "envoy.extensions.transport_sockets.tls.v3.Secret",
    "filters": "envoy.config.core.v3.TypedExtensionConfig",
    "limits": "ratelimit.config.ratelimit.v3.RateLimitConfig",
}


@dataclass
class Given:
    """Names and bodies of what a node was sent, by word of `TYPES`; `code` is how the stream ended, `text` what was said."""

    resources: dict[str, dict[str, bytes]] = field(default_factory=dict)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    code: grpc.StatusCode | None = None
    text: str = ""

    @property
    def everything(self) -> bytes:
        return b"".join(body for named in self.resources.values() for body in named.values())


@contextmanager
def channel(address: str, ca: str, pair: Pair | None, name: str = "cp.test") -> Iterator[grpc.Channel]:
    """A connection as the holder of a certificate has it."""
    files = (ca.encode(), pair.key.encode() if pair else None, pair.cert.encode() if pair else None)
    options = (("grpc.ssl_target_name_override", name), ("grpc.enable_retries", 0))
    made = grpc.secure_channel(address, grpc.ssl_channel_credentials(*files), options=options)
    with made:
        yield made


def ask(
    over: grpc.Channel,
    node: str,
    metadata: Mapping[str, str],
    *,
    types: tuple[str, ...] = ("clusters", "listeners", "routes", "secrets", "filters"),
    held: Mapping[str, Mapping[str, str]] | None = None,
    names: Mapping[str, tuple[str, ...]] | None = None,
    seconds: float = PATIENCE_S,
    stay: bool = False,
) -> Given:
    """Subscribe to all of some types (or to `names` of them) and ACK, until each has come, or to the stream's end (`stay`)."""
    from envoy_data_plane.envoy.service.discovery.v3 import DeltaDiscoveryRequest, DeltaDiscoveryResponse

    outgoing: queue.Queue[Any] = queue.Queue()
    given = Given()
    for word in types:
        request = _first(node, metadata, word, (held or {}).get(word, {}), (names or {}).get(word, ("*",)))
        outgoing.put(bytes(request))
    call = over.stream_stream(METHOD)(iter(outgoing.get, None), timeout=seconds)
    waiting = {f"type.googleapis.com/{TYPES[word]}": word for word in types}
    try:
        for data in call:
            response = DeltaDiscoveryResponse.parse(data)
            word = waiting.pop(response.type_url, "") or _word(response.type_url)
            for each in response.resources:
                given.resources.setdefault(word, {})[each.name] = each.resource.value
                given.versions.setdefault(word, {})[each.name] = each.version
            outgoing.put(bytes(DeltaDiscoveryRequest(type_url=response.type_url, response_nonce=response.nonce)))
            if not waiting and not stay:
                break
        call.cancel()
    except grpc.RpcError as error:
        given.code, given.text = error.code(), error.details() or ""
    finally:
        outgoing.put(None)
    return given


def subscribe(over: grpc.Channel, node: str, metadata: Mapping[str, str]) -> grpc.Call:
    """Ask for all clusters and listeners, and read nothing of what comes; ends when it is cancelled."""
    requests = [bytes(_first(node, metadata, word, {}, ("*",))) for word in ("clusters", "listeners")]
    over_ = queue.Queue[None]()
    return over.stream_stream(METHOD)(itertools.chain(requests, iter(over_.get, None)))  # type: ignore[no-any-return]


def _first(node: str, metadata: Mapping[str, str], word: str, held: Mapping[str, str], names: tuple[str, ...]) -> Any:
    from envoy_data_plane.envoy.config.core.v3 import Node
    from envoy_data_plane.envoy.service.discovery.v3 import DeltaDiscoveryRequest
    from envoy_data_plane.google.protobuf import Struct

    return DeltaDiscoveryRequest(
        node=Node(id=node, metadata=Struct.from_dict(dict(metadata))),
        type_url=f"type.googleapis.com/{TYPES[word]}",
        resource_names_subscribe=list(names),
        initial_resource_versions=dict(held),
    )


def _word(url: str) -> str:
    return next(word for word, name in TYPES.items() if url.endswith(name))
