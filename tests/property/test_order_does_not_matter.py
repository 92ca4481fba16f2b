"""Law: equal files give equal models, digests and bytes, in whatever order they come."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.projects import CONTRACT, SETTINGS, pets
from xds.compile import Compiler
from xds.envoy import Profile, lower
from xds.envoy.codec import encode
from xds.snapshot import snapshot_of
from xds.source import Tree

FILES = {
    name: text.encode()
    for name, text in {
        **pets(),
        "contracts/pets/v2.yaml": CONTRACT.replace("/pets/v1", "/pets/v2"),
        "contracts/toys/v1.yaml": CONTRACT.replace("/pets/v1", "/toys/{kind}").replace(
            "url: /toys/{kind}", 'url: "/toys/{kind}", variables: {kind: {default: wood}}'
        ),
        "policies/toys/authz.rego": "package toys.authz\n\ndefault allow := false\n\nallow if input.sidegate.claims.sub\n",
        "sidegate.yaml": SETTINGS.replace("pets: {", 'toys: {upstream: "http://127.0.0.1:9"}, pets: {', 1),
    }.items()
}


def built(files):
    compilation = Compiler().compile(Tree(files))
    assert not compilation.refused, compilation.diagnostics
    snapshot = snapshot_of(lower(compilation.gateway, Profile(("127.0.0.1", 1), ("127.0.0.1", 2))), encode)
    return compilation, snapshot


FIRST, SNAPSHOT = built(FILES)


@settings(max_examples=8, deadline=None)
@given(st.permutations(sorted(FILES)))
def test_order_of_files(names):
    compilation, snapshot = built({name: FILES[name] for name in names})
    assert compilation.gateway == FIRST.gateway
    assert compilation.diagnostics == FIRST.diagnostics
    assert compilation.digests == FIRST.digests
    assert snapshot == SNAPSHOT


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.sampled_from([b"\n", b"# a word\n"]))
def test_a_digest_covers_its_own_files_and_settings_only(name, more):
    """A change of one file changes the digests that it belongs to, policies none, and the bytes only with a digest."""
    if name.endswith(".json"):
        more = b"\n"
    compilation, snapshot = built({**FILES, name: FILES[name] + more})
    changed = {key for key, digest in compilation.digests.items() if FIRST.digests[key] != digest}
    expected = {
        "contracts/pets/v1.yaml": {"pets/v1"},
        "contracts/pets/v2.yaml": {"pets/v2"},
        "contracts/toys/v1.yaml": {"toys/v1"},
        "keys.json": {"pets/v1", "pets/v2", "toys/v1"},
    }
    assert changed == expected.get(name, set())
    assert (snapshot == SNAPSHOT) == (not changed)
