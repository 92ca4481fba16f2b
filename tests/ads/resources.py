"""YAML text -> Snapshot, for small hand-made resources."""

from __future__ import annotations

import importlib
from typing import Any

import yaml

from xds.envoy.codec import encode
from xds.snapshot import Snapshot, snapshot_of
from xds.snapshot.types import BY_SHORT, PREFIX

MODULES = (
    "config.cluster.v3",
    "config.core.v3",
    "config.endpoint.v3",
    "config.listener.v3",
    "config.route.v3",
    "extensions.filters.http.header_mutation.v3",
    "extensions.filters.http.router.v3",
    "extensions.filters.network.http_connection_manager.v3",
    "extensions.transport_sockets.tls.v3",
    "service.runtime.v3",
)


def message(type_url: str, fields: dict[str, Any]) -> Any:
    """The envoy-data-plane message of that type."""
    from envoy_data_plane.message_pool import default_message_pool

    for module in MODULES:
        importlib.import_module(f"envoy_data_plane.envoy.{module}")
    return default_message_pool.url_to_type[type_url].from_dict(fields)


def snapshot(text: str, previous: Snapshot | None = None) -> Snapshot:
    """Resources by short type name (`cds: [{name: ...}]`), as Envoy's YAML has them."""
    types = yaml.safe_load(text)
    return snapshot_of(
        {
            BY_SHORT[short].url: {_name(r): message(BY_SHORT[short].url, r) for r in resources}
            for short, resources in types.items()
        },
        encode,
        previous,
    )


def _name(resource: dict[str, Any]) -> str:
    return str(resource.get("name") or resource["cluster_name"])


def any_of(short_type: str, **fields: Any) -> dict[str, Any]:
    """A `typed_config`: `any_of("envoy.extensions.filters.http.router.v3.Router")`."""
    return {"@type": PREFIX + short_type, **fields}


HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


def gateway(clusters: str, routes: str, endpoints: str = "", extra: str = "") -> str:
    """YAML of one listener on a free port, its route configuration and a filter from ECDS, over the given clusters."""
    return f"""
lds:
- name: edge
  address: {{socket_address: {{address: 127.0.0.1, port_value: 0}}}}
  filter_chains:
  - filters:
    - name: http
      typed_config:
        '@type': {HCM}
        stat_prefix: edge
        rds: {{route_config_name: edge/routes, config_source: {{ads: {{}}, resource_api_version: V3}}}}
        http_filters:
        - name: stamp
          config_discovery:
            config_source: {{ads: {{}}, resource_api_version: V3}}
            type_urls: [type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation]
        - name: router
          typed_config: {{'@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
ecds:
- name: stamp
  typed_config:
    '@type': type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation
    mutations: {{response_mutations: [{{append: {{header: {{key: x-stamp, value: one}}}}}}]}}
rds:
- name: edge/routes
  virtual_hosts:
  - name: all
    domains: ['*']
    routes:
{routes}
cds:
{clusters}
{"eds:" if endpoints else ""}
{endpoints}
{extra}
"""


def route(cluster: str) -> str:
    """One route of everything to a cluster."""
    return f"    - {{match: {{prefix: /}}, route: {{cluster: {cluster}}}}}"


def static(name: str, port: int, more: str = "") -> str:
    """A cluster with its one endpoint."""
    return f"- {{name: {name}, type: STATIC, connect_timeout: 1s, load_assignment: {_assignment(name, port)}{more}}}"


def eds(name: str) -> str:
    """A cluster that asks for its endpoints."""
    return (
        f"- {{name: {name}, type: EDS, connect_timeout: 1s, "
        "eds_cluster_config: {eds_config: {ads: {}, resource_api_version: V3}}}"
    )


def endpoints(name: str, port: int) -> str:
    """The endpoints of such a cluster."""
    return f"- {_assignment(name, port)}"


def _assignment(name: str, port: int) -> str:
    address = f"{{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}"
    return f"{{cluster_name: {name}, endpoints: [{{lb_endpoints: [{{endpoint: {{address: {address}}}}}]}}]}}"
