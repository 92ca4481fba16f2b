"""Every behaviour of the Envoy back end: gateway in, resources out; and Envoy accepts each of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.envoy.models import bearer, gateway, operation, profile, version
from tests.golden.golden import compare
from xds.envoy import Resources, lower
from xds.envoy.codec import encode
from xds.envoy.render import as_yaml, plain, render
from xds.envoy.validate import validate
from xds.model import Alternative, Credential, Gateway, Mode, Operation, Place
from xds.native import Setting, native_of

FOLDER = Path(__file__).parent / "envoy"
CASES = sorted(p.name for p in FOLDER.iterdir() if p.is_dir())
VIEWS = ("clusters", "extensions", "filters", "listeners", "matcher", "routes")
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
JWKS = (Path(__file__).parent / "envoy" / "jwks.json").read_text()


def read(case: str) -> tuple[Gateway, list[str]]:
    given = yaml.safe_load((FOLDER / case / "gateway.yaml").read_text())
    upstreams = given.get("upstreams", {})
    versions = [
        version(name, map(_operation, operations), upstreams.get(name, "http://127.0.0.1:9001"))
        for name, operations in given["versions"].items()
    ]
    hosts = {name: tuple(hosts) for name, hosts in given.get("hosts", {}).items()}
    schemes = [bearer(JWKS, name) for name in given.get("schemes", ())]
    return gateway(*versions, hosts=hosts, schemes=schemes), given["show"]


def _operation(given: str | dict[str, Any]) -> Operation:
    if isinstance(given, str):
        return operation(given)
    security = tuple(Alternative(tuple(map(Credential, names))) for names in given.get("security", ()))
    made = operation(
        given["operation"], security, body=given.get("body"), limit=given.get("limit", 1 << 20),
        mode=Mode(given.get("mode", "enforce")),
    )  # fmt: skip
    settings = {key: Setting(value, Place("")) for key, value in given.get("settings", {}).items()}
    return replace(made, native=native_of(settings)) if settings else made


@pytest.mark.parametrize("case", CASES)
def test_case(case: str) -> None:
    given, show = read(case)
    resources = lower(given, profile(authorities=AUTHORITIES))
    for named in resources.values():
        for message in named.values():
            assert encode(message) == bytes(message)
    compare(FOLDER / case, {f"{view}.yaml": _view(resources, view) for view in show}, [f"{v}.yaml" for v in VIEWS])
    if "https" in repr(given) and not Path(AUTHORITIES).exists():
        pytest.skip(f"Envoy wants the authorities' file, and there is no {AUTHORITIES}")
    assert validate(resources) == ()


def _view(resources: Resources, view: str) -> str:
    if view == "matcher":
        return as_yaml([{"domains": host["domains"], "matcher": _short(_below(host))} for host in _hosts(resources)])
    if view == "filters":
        return as_yaml({r["name"]: r["typed_per_filter_config"] for r in _routes(_hosts(resources)) if "route" in r})
    return render(resources, type=view)


def _hosts(resources: Resources) -> list[dict[str, Any]]:
    (table,) = next(named for url, named in resources.items() if url.endswith("RouteConfiguration")).values()
    hosts: list[dict[str, Any]] = plain(table)["virtual_hosts"]
    return hosts


def _below(host: dict[str, Any]) -> Any:
    """The matcher below the check of the authority, which every virtual host has."""
    return host["matcher"]["on_no_match"]["matcher"]


def _routes(tree: Any) -> list[dict[str, Any]]:
    if isinstance(tree, list):
        return [route for item in tree for route in _routes(item)]
    if not isinstance(tree, dict):
        return []
    if "match" in tree:
        return [tree]
    return [route for item in tree.values() for route in _routes(item)]


def _short(matcher: dict[str, Any]) -> Any:
    """A matcher as people read it: prefixes and regexes, and the name of what is done."""
    if "matcher_tree" in matcher:
        rows = {p: _done(on) for p, on in matcher["matcher_tree"]["prefix_match_map"]["map"].items()}
    else:
        rows = {
            row["predicate"]["single_predicate"]["value_match"]["safe_regex"]["regex"]: _done(row["on_match"])
            for row in matcher["matcher_list"]["matchers"]
        }
    return {**rows, "otherwise": _done(matcher["on_no_match"])} if "on_no_match" in matcher else rows


def _done(on: dict[str, Any]) -> Any:
    return on["action"]["name"] if "action" in on else _short(on["matcher"])
