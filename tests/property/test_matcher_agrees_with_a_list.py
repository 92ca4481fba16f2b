"""The matcher tree takes the same template as trying all of them, best first; so does the companion without Envoy."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.match import match
from tests.envoy.models import gateway, operation, profile, template, version
from tests.envoy.proxy import proxy
from tests.envoy.walk import naive, walk
from xds.contract.paths import precedes
from xds.envoy import lower, matcher
from xds.envoy.codec import type_url
from xds.envoy.render import plain
from xds.envoy.templates import Pattern, pattern_of
from xds.model import Gateway, Mode, Operation

WORDS = ("a", "b", "ab", "abc", "items", "a b", "x.y", "a+", "ä")
SEGMENTS = st.one_of(st.sampled_from(WORDS), st.just("{p}"), st.sampled_from(("{p}.json", "x-{p}", "{p}:go", "a{p}")))
TEMPLATES = st.lists(SEGMENTS, min_size=1, max_size=4)
PIECES = st.sampled_from(
    ("a", "b", "ab", "abc", "items", "a%20b", "x.y", "a+", "%C3%A4", "q.json", "x-1", "z:go", "", ";")
)
PATHS = st.tuples(st.lists(PIECES, min_size=1, max_size=5), st.sampled_from(("", "?", "?a/b=c")))


def _gateway(texts: list[str], port: int = 1, mode: Mode = Mode.OFF) -> tuple[Gateway, dict[str, Pattern]]:
    """One GET for each template, without those that are one path but for the names."""
    patterns: dict[str, Pattern] = {}
    for text in texts:
        pattern = pattern_of(template(text))
        if all(pattern.rank != other.rank for other in patterns.values()):
            patterns[text] = pattern
    operations = [operation(f"GET {text}", mode=mode) for text in patterns]
    return gateway(version("s/v1", operations, f"http://127.0.0.1:{port}")), patterns


def _texts(templates: list[list[str]]) -> list[str]:
    named = [[s.replace("{p}", f"{{p{i}}}") for i, s in enumerate(segments)] for segments in templates]
    return ["/" + "/".join(segments) for segments in named]


def _path(path: tuple[list[str], str]) -> str:
    return "/" + "/".join(path[0]) + path[1]


@settings(max_examples=60, deadline=None)
@given(st.lists(TEMPLATES, min_size=1, max_size=25), st.lists(PATHS, min_size=1, max_size=25), st.integers(0, 5))
def test_tree_is_list(templates: list[list[str]], paths: list[tuple[list[str], str]], inherited: int) -> None:
    before = matcher.INHERITED
    matcher.INHERITED = inherited
    try:
        made, patterns = _gateway(_texts(templates))
        (table,) = lower(made, profile())[_ROUTES].values()
    finally:
        matcher.INHERITED = before
    (host,) = plain(table)["virtual_hosts"]
    (operations,) = (v.operations for service in made.services for v in service.versions)
    for path in map(_path, paths):
        wanted = naive(patterns, path)
        assert walk(host["matcher"], {":path": path, ":authority": "a"}) == wanted
        _companion_agrees(operations, path, wanted)


def _companion_agrees(operations: tuple[Operation, ...], path: str, wanted: str) -> None:
    plain_path = path.partition("?")[0]
    found = match(operations, "GET", plain_path).operation
    assert (found.path.text if found else "404") == wanted
    assert match(operations, "PUT", plain_path).allow == (("GET",) if found else ())


def test_the_companion_agrees_on_a_sample() -> None:
    made, patterns = _gateway(SAMPLE)
    for path in ASKED:
        _companion_agrees(made.services[0].versions[0].operations, path, naive(patterns, path))


def test_paths_that_two_rules_would_tell_apart() -> None:
    """The longer literal text wins, literals may come encoded, a value holds no `;` unless its style is matrix."""
    named = ("/x/{id}", "/x/{id}.json", "/café", "/y/X-{id}", "/y/{id}ab", "/m/{at}")
    operations = [operation(f"GET {text}", matrix="at" if "{at}" in text else None) for text in named]
    asked = ("/x/1.json", "/x/1", "/x/1;a", "/caf%C3%A9", "/caf%c3%a9", "/café", "/y/X-1ab", "/m/;at=1", "/m/1")
    found = [match(operations, "GET", path).operation for path in asked]
    told = [o.path.text if o else None for o in found]
    assert told == ["/x/{id}.json", "/x/{id}", None, "/café", "/café", None, "/y/{id}ab", "/m/{at}", None]
    assert precedes(operations[4].path, operations[3].path)


_ROUTES = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"


def test_the_type_url_is_right() -> None:
    from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration

    assert type_url(RouteConfiguration) == _ROUTES


SAMPLE = [
    "/items", "/items/{p}", "/items/mine", "/items/{p}/parts", "/{k}/mine/parts", "/a b/{p}", "/ä", "/x.y/{p}.json",
    "/x.y/{p}", "/a+", *(f"/repos/{{o}}/{{r}}/t{i}" for i in range(40)), "/repos/{o}/{r}/{any}", "/repos/octo/{r}/t7",
]  # fmt: skip
ASKED = [
    "/items", "/items?x=/a", "/items/", "/items/7", "/items/mine", "/items/mine/parts", "/other/mine/parts", "/a%20b/q",
    "/%c3%a4", "/%C3%A4", "/x.y/q.json", "/x.y/q", "/xzy/q", "/a+", "/aa", "/repos/o/r/t0", "/repos/o/r/t39", "/repos/o/r/t40",
    "/repos/octo/r/t7?a", "/repos/octo/r/t8", "/repos/o/r", "/repos/o/r/t1/x", "/repos/o;/r/t1", "/nothing", "/",
]  # fmt: skip


def test_envoy_agrees(tmp_path: Path) -> None:
    _, patterns = _gateway(SAMPLE)
    with proxy(lambda port: _gateway(SAMPLE, port)[0], tmp_path) as envoy:
        for path in ASKED:
            got, wanted = envoy.ask("GET", path), naive(patterns, path)
            assert got.status == (404 if wanted == "404" else 200), path
        names = [line["operation"] for line in _lines(envoy, len(ASKED))]
    ids = {text: operation(f"GET {text}").id for text in SAMPLE}
    assert names == [None if (w := naive(patterns, path)) == "404" else ids[w] for path in ASKED]


def _lines(envoy: object, count: int) -> list[dict[str, str | None]]:
    import time

    from tests.envoy.proxy import Proxy

    assert isinstance(envoy, Proxy)
    for _ in range(100):
        if len(envoy.log.read_text().splitlines()) >= count:
            return envoy.lines()
        time.sleep(0.05)
    pytest.fail("the access log lacks lines")
