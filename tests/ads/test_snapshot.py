"""Snapshots: versions, references through every `Any`, consistency, differences."""

from __future__ import annotations

import pytest

from tests.ads import resources as r
from xds.snapshot import Snapshot, delta, problems
from xds.snapshot.consistency import problems as _problems
from xds.snapshot.resource import resource_of
from xds.snapshot.types import CLUSTER, ENDPOINTS, EXTENSION, LISTENER, ROUTES, SECRET

GOOD = r.gateway(r.static("one", 1), r.route("one"))


def test_a_closed_snapshot_has_no_problems_and_equal_files_equal_versions() -> None:
    one, again = r.snapshot(GOOD), r.snapshot(GOOD)
    assert one.consistent() == ()
    assert one.digest == again.digest
    assert delta(one, again) == {}
    assert one.version(LISTENER) != one.version(CLUSTER)


def test_what_did_not_change_is_taken_from_the_snapshot_before() -> None:
    one = r.snapshot(GOOD)
    two = r.snapshot(GOOD.replace("value: one", "value: two"), one)
    assert two.of(ROUTES)["edge/routes"] is one.of(ROUTES)["edge/routes"]
    assert {url: c.changed for url, c in delta(one, two).items()} == {EXTENSION: ("stamp",)}
    assert one.digest != two.digest


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("cluster: one", "cluster: none"), "rds 'edge/routes': refers to cds 'none', which is missing"),
        (("cluster: one", "cluster: none"), "cds 'one': nothing refers to it"),
        (
            ("route_config_name: edge/routes", "route_config_name: other"),
            "lds 'edge': refers to rds 'other', which is missing",
        ),
        (
            ("- name: stamp\n          config", "- name: stomp\n          config"),
            "lds 'edge': refers to ecds 'stomp', which",
        ),
        (("type: STATIC", "type: EDS"), "cds 'one': refers to eds 'one', which is missing"),
    ],
)
def test_problems_are_named(change: tuple[str, str], problem: str) -> None:
    assert change[0] in GOOD
    assert any(p.startswith(problem) for p in r.snapshot(GOOD.replace(*change)).consistent())


def test_a_cluster_of_the_bootstrap_is_not_missing() -> None:
    snapshot = r.snapshot(GOOD.replace("cluster: one", "cluster: otlp"))
    assert problems(snapshot, {"otlp"}) == ("cds 'one': nothing refers to it",)


def test_emptiness_and_foreign_names_are_problems() -> None:
    assert Snapshot({}).consistent() == ("lds: the snapshot has none", "cds: the snapshot has none")
    one = r.snapshot(GOOD)
    listener = one.of(LISTENER)["edge"]
    twice = Snapshot({**one.resources, LISTENER: {"edge": listener, "other": listener}})
    assert "lds 'other': filed under another name or type than its own" in _problems(twice)
    lying = Snapshot(
        {**one.resources, LISTENER: {"edge": listener, "other": resource_of(LISTENER, "other", listener.body)}}
    )
    assert "lds 'other': calls itself 'edge'" in _problems(lying)


REFERENCES = {
    "weighted": (
        "{weighted_clusters: {clusters: [{name: x, weight: 1}, {name: y, weight: 1}]}}",
        {(CLUSTER, "x"), (CLUSTER, "y")},
    ),
    "mirror": ("{cluster: x, request_mirror_policies: [{cluster: y}]}", {(CLUSTER, "x"), (CLUSTER, "y")}),
}


@pytest.mark.parametrize("case", REFERENCES)
def test_references_of_routes(case: str) -> None:
    text, wanted = REFERENCES[case]
    snapshot = r.snapshot(GOOD.replace("{cluster: one}", text))
    assert set(snapshot.of(ROUTES)["edge/routes"].references) == wanted


def test_references_inside_a_matcher_tree_and_every_service_of_a_filter() -> None:
    import importlib

    for module in ("ext_authz", "jwt_authn"):
        importlib.import_module(f"envoy_data_plane.envoy.extensions.filters.http.{module}.v3")
    importlib.import_module("envoy_data_plane.envoy.config.trace.v3")
    importlib.import_module("envoy_data_plane.envoy.extensions.access_loggers.grpc.v3")
    http = "envoy.extensions.filters.http"
    listener = {
        "name": "l",
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "http",
                        "typed_config": {
                            "@type": r.HCM,
                            "tracing": {
                                "provider": {
                                    "name": "t",
                                    "typed_config": r.any_of(
                                        "envoy.config.trace.v3.OpenTelemetryConfig",
                                        http_service={"http_uri": {"uri": "u", "cluster": "otlp", "timeout": "1s"}},
                                    ),
                                }
                            },
                            "access_log": [
                                {
                                    "name": "g",
                                    "typed_config": r.any_of(
                                        "envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig",
                                        common_config={
                                            "log_name": "l",
                                            "grpc_service": {"envoy_grpc": {"cluster_name": "als"}},
                                        },
                                    ),
                                }
                            ],
                            "http_filters": [
                                {
                                    "name": "jwt",
                                    "typed_config": r.any_of(
                                        f"{http}.jwt_authn.v3.JwtAuthentication",
                                        providers={
                                            "p": {
                                                "remote_jwks": {
                                                    "http_uri": {"uri": "u", "cluster": "keys", "timeout": "1s"}
                                                }
                                            }
                                        },
                                    ),
                                },
                                {
                                    "name": "authz",
                                    "typed_config": r.any_of(
                                        f"{http}.ext_authz.v3.ExtAuthz",
                                        http_service={
                                            "server_uri": {"uri": "u", "cluster": "companion", "timeout": "1s"}
                                        },
                                    ),
                                },
                            ],
                            "route_config": {
                                "name": "inline",
                                "virtual_hosts": [
                                    {
                                        "name": "v",
                                        "domains": ["*"],
                                        "matcher": {
                                            "on_no_match": {
                                                "action": {
                                                    "name": "a",
                                                    "typed_config": r.any_of(
                                                        "envoy.config.route.v3.RouteList",
                                                        routes=[
                                                            {"match": {"prefix": "/"}, "route": {"cluster": "deep"}}
                                                        ],
                                                    ),
                                                }
                                            }
                                        },
                                    }
                                ],
                            },
                        },
                    }
                ],
                "transport_socket": {
                    "name": "tls",
                    "typed_config": r.any_of(
                        "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                        common_tls_context={
                            "tls_certificate_sds_secret_configs": [{"name": "cert", "sds_config": {"ads": {}}}]
                        },
                    ),
                },
            }
        ],
    }
    from xds.envoy.codec import encode

    found = resource_of(LISTENER, "l", encode(r.message(LISTENER, listener)))
    clusters = {name for url, name in found.references if url == CLUSTER}
    assert clusters == {"otlp", "als", "keys", "companion", "deep"}
    assert {reference for reference in found.references if reference[0] != CLUSTER} == {(SECRET, "cert")}
    assert found.opaque == ()


def test_endpoints_go_by_service_name() -> None:
    text = "cds: [{name: a, type: EDS, eds_cluster_config: {service_name: b, eds_config: {ads: {}}}}]"
    assert r.snapshot(text).of(CLUSTER)["a"].references == ((ENDPOINTS, "b"),)


def test_a_message_that_cannot_be_looked_into_is_a_problem() -> None:
    from xds.snapshot.wire import field

    body = field(1, "stamp") + field(2, field(1, "type.googleapis.com/example.Unknown") + field(2, "x"))
    one = r.snapshot(GOOD)
    blind = Snapshot({**one.resources, EXTENSION: {"stamp": resource_of(EXTENSION, "stamp", body)}})
    assert any("example.Unknown" in p for p in blind.consistent())
