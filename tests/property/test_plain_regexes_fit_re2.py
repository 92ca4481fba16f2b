"""No contract gives Envoy a regex of a plain request that RE2 refuses: the configuration of everybody would go with it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.projects import compiled, pets
from xds.envoy.bootstrap import layered_runtime
from xds.envoy.validate import binary
from xds.model.plain import Plain
from xds.passes.form import plain_of
from xds.passes.sizes import LARGEST, size

POLICY = {"policy": "none", "reason": "it is public"}
_LONG = {"type": "string", "maxLength": 256}
_DENSE = {"type": "string", "maxLength": 256, "pattern": "^[acegikmoqsuwyBDFHJLNPRTVXZ02468]{1,256}$"}
_CHAINED = {"type": "string", "maxLength": 60_000, "pattern": f"^{'[a-z0-9_.]{1,900}-' * 9}$"}
_LISTED = {"type": "string", "enum": [f"{n}{'x' * 200}" for n in range(256)]}


def _in(where: str, names: int, schema: dict[str, Any], required: bool = False) -> list[dict[str, Any]]:
    return [
        {"in": where, "name": f"p{n}", "required": required or where == "path", "schema": schema} for n in range(names)
    ]


def _plain(parameters: list[dict[str, Any]]) -> Plain | None:
    path = "/a" + "".join(f"/{{{p['name']}}}" for p in parameters if p["in"] == "path")
    operation = {"operationId": "o", "parameters": parameters, "security": [], "x-sidegate": POLICY}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "A", "version": "1"},
        "paths": {path: {"get": {**operation, "responses": {"200": {"description": "ok"}}}}},
    }
    (version,) = compiled(pets(contract=json.dumps(document), policy=None)).gateway.services[0].versions
    return plain_of(version.operations[0], version.schemas)


@pytest.mark.parametrize("schema", [_LONG, _DENSE, _CHAINED, _LISTED], ids=["long", "dense", "chained", "listed"])
def test_what_would_be_too_large_is_asked_about(schema: dict[str, Any]) -> None:
    assert _plain(_in("path", 30, schema)) is None
    assert _plain(_in("query", 24, schema, required=True)) is None
    some = _plain(_in("query", 24, schema))
    assert some is not None
    assert size(some.path) <= LARGEST
    assert size(some.never) <= LARGEST


def test_long_parameters_that_fit_are_told() -> None:
    some = _plain(_in("query", 4, _LONG))
    assert some is not None
    assert some.path.count("p3=") == 2


def test_the_bound_leaves_a_factor(tmp_path: Path) -> None:
    """Envoy takes programs of nine times the size and more, whatever they are made of."""
    regexes = []
    for piece in (
        "[A-Za-z0-9._~:@,+=-]{1,256}-",
        "[acegikmoqsuwyBDFHJLNPRTVXZ02468]{1,900}-",
        "[^&]{900}",
        "abcdefghij",
    ):
        times = 10 * LARGEST // size(piece)
        regexes.append(f"/{piece * times}")
        assert size(regexes[-1]) > 9 * LARGEST
    said = _refusal(regexes, tmp_path)
    assert said == "", said
    assert "too large" in _refusal(["/" + "[A-Za-z0-9._~:@,+=-]{1,256}-" * 300], tmp_path)


def _refusal(regexes: list[str], folder: Path) -> str:
    """What Envoy says of routes with these regexes."""
    kind = "type.googleapis.com/envoy.extensions.filters"
    routes = [{"match": {"safe_regex": {"regex": r}}, "direct_response": {"status": 200}} for r in regexes]
    manager = {
        "@type": f"{kind}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "x",
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{kind}.http.router.v3.Router"}}],
        "route_config": {"virtual_hosts": [{"name": "v", "domains": ["*"], "routes": routes}]},
    }
    listener = {
        "name": "l",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    config = folder / "envoy.json"
    config.write_text(json.dumps({"layered_runtime": layered_runtime(), "static_resources": {"listeners": [listener]}}))
    command = [str(binary()), "--mode", "validate", "-c", str(config), "-l", "error", "--disable-hot-restart"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False).stderr
