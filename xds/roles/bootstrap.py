"""Stand -> the bootstrap of an Envoy that runs by itself: who it is, whom it asks, how it shows that it may."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xds.address import Address, UnixSocket, Where
from xds.envoy.bootstrap import ANY, bootstrap, numeric
from xds.roles.ready import READY_CLUSTER, ready_listener

Json = dict[str, Any]

_TYPE = "type.googleapis.com/"
_TLS = "envoy.extensions.transport_sockets.tls.v3"
EDGE = "edge"
"""The name of the gateway in front of all services, where a service's would stand."""
STUCK_S = 60
"""A thread of Envoy that does nothing for so long ends it, and whoever started it starts it again."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Files, PEM: the authorities that the control plane's certificate is checked against, and the proxy's own pair."""

    ca: Path
    certificate: Path
    key: Path
    name: str


@dataclass(frozen=True, slots=True)
class Stand:
    """Where an Envoy stands. `service` is empty for the gateway before all; `xds` are the control plane's replicas."""

    node: str
    service: str
    xds: tuple[Where, ...]
    admin: Where
    ready: Address | None = None
    credentials: Credentials | None = None


def standing(stand: Stand, run: Path, heap: int = 1 << 30, told: Mapping[str, str] | None = None) -> Json:
    """The bootstrap, as JSON.

    `run` is where the files that `secrets` returns are written, `heap` how many bytes Envoy's heap may take, `told` what else
    the node's metadata say.
    """
    first, admin = _place(stand.xds[0]), _place(stand.admin)
    metadata = {"service": stand.service or EDGE, **(told or {})}
    made = bootstrap(stand.node, first, admin, cluster=stand.service or EDGE, metadata=metadata, max_heap=heap)
    asked = made["static_resources"]["clusters"][0]
    asked["load_assignment"]["endpoints"] = [{"lb_endpoints": [_endpoint(each) for each in stand.xds]}]
    if stand.credentials:
        asked["transport_socket"] = _socket(stand.credentials, run)
    if stand.ready:
        made["static_resources"]["clusters"].append(_cluster(READY_CLUSTER, stand.admin))
        made["static_resources"]["listeners"] = [ready_listener(stand.ready)]
    watchdog = {"miss_timeout": "2s", "megamiss_timeout": "10s", "kill_timeout": f"{STUCK_S}s"}
    made["watchdogs"] = {"main_thread_watchdog": watchdog, "worker_watchdog": watchdog}
    return made


def secrets(credentials: Credentials) -> dict[str, str]:
    """File name -> content: secrets by files, which Envoy reads anew when something is moved into their folders."""
    pair = {
        "certificate_chain": {"filename": str(credentials.certificate.absolute())},
        "private_key": {"filename": str(credentials.key.absolute())},
        "watched_directory": {"path": str(credentials.certificate.absolute().parent)},
    }
    trusted = {
        "trusted_ca": {"filename": str(credentials.ca.absolute())},
        "watched_directory": {"path": str(credentials.ca.absolute().parent)},
    }
    return {
        "xds-certificate.json": _secret("xds-certificate", tls_certificate=pair),
        "xds-ca.json": _secret("xds-ca", validation_context=trusted),
    }


def _secret(name: str, **content: Json) -> str:
    return json.dumps({"resources": [{ANY: f"{_TYPE}{_TLS}.Secret", "name": name, **content}]})


def _socket(credentials: Credentials, run: Path) -> Json:
    """TLS to the control plane: its name is checked, and the proxy shows its certificate."""
    kind = "IP_ADDRESS" if numeric(credentials.name) else "DNS"
    names_ = [{"san_type": kind, "matcher": {"exact": credentials.name}}]
    common = {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
        "alpn_protocols": ["h2"],
        "tls_certificate_sds_secret_configs": [_from_file("xds-certificate", run)],
        "combined_validation_context": {
            "default_validation_context": {"match_typed_subject_alt_names": names_},
            "validation_context_sds_secret_config": _from_file("xds-ca", run),
        },
    }
    context = {ANY: f"{_TYPE}{_TLS}.UpstreamTlsContext", "common_tls_context": common}
    if kind == "DNS":
        context["sni"] = credentials.name
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def _from_file(name: str, run: Path) -> Json:
    source = {"path": str(run.absolute() / f"{name}.json")}
    return {"name": name, "sds_config": {"resource_api_version": "V3", "path_config_source": source}}


def _cluster(name: str, place: Where) -> Json:
    there = {"cluster_name": name, "endpoints": [{"lb_endpoints": [_endpoint(place)]}]}
    return {"name": name, "type": "STATIC", "connect_timeout": "1s", "load_assignment": there}


def _endpoint(place: Where) -> Json:
    if isinstance(place, UnixSocket):
        return {"endpoint": {"address": {"pipe": {"path": place.path}}}}
    return {"endpoint": {"address": {"socket_address": {"address": place.host, "port_value": place.port}}}}


def _place(place: Where) -> tuple[str, int] | str:
    return place.path if isinstance(place, UnixSocket) else (place.host, place.port)
