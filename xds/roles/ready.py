"""Address -> the listener on which a kubelet and Prometheus ask Envoy: `/ready` and `/metrics`, nothing else of its admin.

Envoy's own listeners take connections only once all that it waits for is there, this one too: before the first contract it
refuses them, which is what "not ready" means.
"""

from __future__ import annotations

from typing import Any

from xds.address import Address

Json = dict[str, Any]
READY_CLUSTER = "own-admin"
_TYPE = "type.googleapis.com/envoy.extensions.filters"


def ready_listener(on: Address) -> Json:
    """The listener, as JSON of a bootstrap."""
    routes = [_route("/ready", "/ready"), _route("/metrics", "/stats/prometheus?usedonly")]
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{_TYPE}.http.router.v3.Router", "suppress_envoy_headers": True},
    }
    manager = {
        "@type": f"{_TYPE}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "ready",
        "request_headers_timeout": "5s",
        "common_http_protocol_options": {"idle_timeout": "60s"},
        "route_config": {"virtual_hosts": [{"name": "ready", "domains": ["*"], "routes": routes}]},
        "http_filters": [router],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    address = {"socket_address": {"address": on.host, "port_value": on.port}}
    return {"name": "ready", "address": address, "filter_chains": [chain], "ignore_global_conn_limit": True}


def _route(path: str, asked: str) -> Json:
    get = {"name": ":method", "string_match": {"exact": "GET"}}
    rewrite = {"regex_rewrite": {"pattern": {"regex": "^.*$"}, "substitution": asked}}
    return {"match": {"path": path, "headers": [get]}, "route": {"cluster": READY_CLUSTER, "timeout": "5s", **rewrite}}
