"""`patches`: a resource made for Envoy is changed by name, within its type; what weakens a check is said, or refused."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from werkzeug import Request, Response

from tests.features.hop import Hop, contract, operation, serve
from tests.projects import SETTINGS, pets, tree
from tests.waiting import PATIENCE_S
from xds.compile import Compiler
from xds.diagnostics import Diagnostic
from xds.envoy import Profile, lower
from xds.envoy.render import render

PATCHES: list[dict[str, Any]] = [
    {
        "name": "raise-pool",
        "resource": "cluster",
        "match": "svc/*",
        "merge": {"circuit_breakers": {"thresholds": [{"max_connections": 7, "max_requests": 7}]}},
    },
    {
        "name": "hurry",
        "resource": "route",
        "match": "svc/v1/get_late",
        "merge": {"route": {"timeout": "0.3s"}, "response_headers_to_add": [{"header": {"key": "x-p", "value": "1"}}]},
    },
    {
        "name": "small-requests",
        "resource": "connection-manager",
        "merge": {"max_request_headers_kb": 2},
        "accept": "our clients send no cookies",
    },
]


def _slow(request: Request) -> Response:
    time.sleep(0.6)
    return Response("late", 200)


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    paths = {"/late": {"get": operation()}, "/as-ever": {"get": operation()}}
    folder = tmp_path_factory.mktemp("patches")
    with serve(folder, contract(paths), answer=_slow, settings={"patches": PATCHES}) as running:
        yield running


def test_a_route_is_changed_and_no_other(hop: Hop) -> None:
    late = hop.client.get("/late")
    assert (late.status_code, late.json()["code"]) == (504, "upstream-timeout")
    answer = hop.client.get("/as-ever")
    assert answer.status_code == 200
    assert "x-p" not in answer.headers


def test_a_listener_is_changed(hop: Hop) -> None:
    assert hop.client.get("/as-ever", headers={"x-long": "x" * 3000}).status_code == 431


def test_explain_shows_them(hop: Hop) -> None:
    """In a process of its own, as a person asks."""
    text = _explain(hop.folder, "get_late", "--format", "json")
    found = {each["patch"]: each for each in json.loads(text)["patches"]}
    assert set(found) == {"raise-pool", "hurry", "small-requests"}
    assert found["small-requests"]["accept"] == "our clients send no cookies"
    assert found["hurry"]["place"].startswith("sidegate.yaml:")
    assert "hurry" not in _explain(hop.folder, "get_as_ever")


def _explain(folder: Path, name: str, *more: str) -> str:
    command = [sys.executable, "-m", "xds.cli", "explain", "--dir", str(folder), "svc", "v1", name, *more]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE_S).stdout


def _compiled(*patches: dict[str, Any]) -> tuple[Diagnostic, ...]:
    settings = SETTINGS + yaml.safe_dump({"patches": list(patches)}, sort_keys=False)
    return Compiler().compile(tree(pets(settings=settings))).diagnostics


def test_what_was_there_stays() -> None:
    merge = {"circuit_breakers": {"thresholds": [{"max_requests": 3}]}, "outlier_detection": {"interval": "9s"}}
    patch = {"name": "some", "resource": "cluster", "match": "pets/v1", "merge": merge}
    settings = SETTINGS + yaml.safe_dump({"patches": [patch]})
    gateway = Compiler().compile(tree(pets(settings=settings))).gateway
    made = yaml.safe_load(render(lower(gateway, Profile(("127.0.0.1", 1), ("127.0.0.1", 2))), type="clusters"))
    (cluster,) = [each for each in made["clusters"] if each["name"] == "pets/v1"]
    assert cluster["circuit_breakers"] == {"thresholds": [{"max_requests": 3}]}
    assert cluster["outlier_detection"]["interval"] == "9s"
    assert cluster["outlier_detection"]["max_ejection_time"] == "60s"


@pytest.mark.parametrize(
    ("change", "code", "pointer", "said"),
    [
        ({"merge": {"conect_timeout": "1s"}}, "patch-invalid", "/merge/conect_timeout", "no field `conect_timeout`"),
        ({"merge": {"connect_timeout": 5}}, "patch-invalid", "/merge/connect_timeout", "a time in seconds, like 2s"),
        ({"merge": {"lb_policy": "BEST"}}, "patch-invalid", "/merge/lb_policy", "one of ROUND_ROBIN, LEAST_REQUEST"),
        ({"merge": {"alt_stat_name": 5}}, "patch-invalid", "/merge/alt_stat_name", "a text"),
        ({"merge": {"circuit_breakers": [1]}}, "patch-invalid", "/merge/circuit_breakers", "a mapping of its fields"),
        ({"merge": {"outlier_detection": {"x": 1}}}, "patch-invalid", "/merge/outlier_detection/x", "no field `x`"),
        ({"merge": {"transport_socket": {"typed_config": {}}}}, "patch-invalid",
         "/merge/transport_socket/typed_config", "`@type`"),
        ({"merge": {"outlier_detection": {"consecutive_5xx": -1}}}, "patch-invalid",
         "/merge/outlier_detection/consecutive_5xx", "a whole number"),
        ({"merge": {"outlier_detection": {"consecutive_5xx": 3}}}, "patch-weakens",
         "/merge/outlier_detection/consecutive_5xx", "broken endpoint"),
        ({"merge": {"name": "other"}}, "patch-invalid", "/merge/name", "nothing could be published"),
        ({"merge": {}}, "patch-invalid", "/merge", "holds the fields"),
        ({"resource": "clusters"}, "patch-invalid", "/resource", "one of cluster"),
        ({"name": "Raise It"}, "patch-invalid", "/name", "small letters"),
        ({"accept": "ok"}, "patch-invalid", "/accept", "the reason"),
        ({"match": "cats/*"}, "patch-unmatched", "", "matches no cluster"),
        ({"merge": {"connect_timeout": "0s"}}, "patch-weakens", "/merge/connect_timeout", "without a time limit"),
        ({"merge": {"outlier_detection": None}}, "patch-weakens", "/merge/outlier_detection", "broken endpoint"),
    ],
)  # fmt: skip
def test_bad_patches_have_a_place(change: dict[str, Any], code: str, pointer: str, said: str) -> None:
    merge = {"connect_timeout": "2s"}
    (found,) = _compiled({"name": "p", "resource": "cluster", "match": "pets/v1", "merge": merge, **change})
    assert found.code == code
    assert found.span is not None
    assert (found.span.file, found.span.pointer) == ("sidegate.yaml", f"/patches/0{pointer}")
    assert found.span.line > 3
    assert said in f"{found.message} {found.help}"


AROUND: list[tuple[str, dict[str, Any]]] = [
    ("route", {"typed_per_filter_config": {"companion": None}}),
    ("route", {"direct_response": {"status": 200}}),
    ("route", {"metadata": {"filter_metadata": {"sidegate": {"digest": "0"}}}}),
    ("route", {"route": {"cluster": "companion"}}),
    ("route", {"route": {"upgrade_configs": [{"upgrade_type": "websocket"}]}}),
    ("route", {"route": {"internal_redirect_policy": {}}}),
    ("connection-manager", {"http_filters": []}),
    ("connection-manager", {"normalize_path": False}),
    ("connection-manager", {"early_header_mutation_extensions": None}),
    ("connection-manager", {"common_http_protocol_options": {"headers_with_underscores_action": "ALLOW"}}),
    ("listener", {"filter_chains": []}),
]


@pytest.mark.parametrize(("resource", "merge"), AROUND)
def test_what_leads_around_a_check_needs_a_reason(resource: str, merge: dict[str, Any]) -> None:
    patch = {"name": "around", "resource": resource, "merge": merge}
    (refused,) = _compiled(patch)
    assert (refused.code, refused.is_error) == ("patch-bypasses", True)
    assert "accept" in (refused.help or "")
    (accepted,) = _compiled({**patch, "accept": "a test of what is around"})
    assert (accepted.code, accepted.is_error) == ("patch-weakens", False)
    assert "a test of what is around" in accepted.message


@pytest.mark.parametrize(
    "action",
    [{"retry_policy": {"retry_on": "5xx"}}, {"prefix_rewrite": "/x"}, {"request_mirror_policies": [{"cluster": "c"}]}],
)
def test_what_a_service_is_asked_otherwise_or_twice_is_said(action: dict[str, Any]) -> None:
    (found,) = _compiled({"name": "p", "resource": "route", "merge": {"route": action}})
    assert (found.code, found.is_error) == ("patch-weakens", False)


def test_two_patches_have_two_names() -> None:
    patch = {"name": "p", "resource": "cluster", "merge": {"connect_timeout": "2s"}}
    assert [found.code for found in _compiled(patch, patch)] == ["patch-invalid"]
