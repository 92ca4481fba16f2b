"""Policies that must be refused, and where; what a bundle holds."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from xds.diagnostics import Diagnostic, Span
from xds.policy.bundle import check_entrypoint, default_entrypoint, load_bundle

TABLE = yaml.safe_load(Path(__file__).with_name("diagnostics.yaml").read_text(encoding="utf-8"))
ALLOW = b"package catalog.authz\ndefault allow := false\nallow if input.x == 1\n"


@pytest.mark.parametrize("case", TABLE, ids=lambda c: (c["want"] or ["clean"])[0].split()[0])
def test_diagnostics(case: dict[str, Any]) -> None:
    files = case.get("files") or {"policies/catalog/authz.rego": case["text"]}
    bundle, said = load_bundle("catalog", {name: text.encode() for name, text in files.items()})
    assert [f"{d.code} {d.span.line}:{d.span.column}" for d in said if d.span] == case["want"]
    assert (bundle is None) == bool(case["want"])


def test_opa_has_what_the_embedded_engine_lacks() -> None:
    files = {"policies/catalog/authz.rego": b"package catalog.authz\nallow if http.send(input).status == 200\n"}
    assert load_bundle("catalog", files)[0] is None
    assert load_bundle("catalog", files, "opa")[0] is not None


GUARDED = """package catalog.authz
default allow := false
ready if not startswith(input.x, "a")
allow if {
  not endswith(input.x, "b"); input.y
}
"""


def test_what_is_loaded_is_what_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is given other text than is written; if it takes only what is written, that is an error, and where."""
    from xds.policy import bundle as bundles
    from xds.policy import compilation, negation

    def spoiled(text: str, tokens: Any, only: Any = None) -> str:
        guarded = negation.spelled_out(text, tokens, only)
        return guarded.replace("; _ = input.x; input.y", "; _ = f({}).g; _ = g; input.y")

    monkeypatch.setattr(bundles, "_MEMO", {})
    for module in (bundles, compilation):
        monkeypatch.setattr(module, "spelled_out", spoiled)
    files = {"policies/catalog/authz.rego": GUARDED.encode(), "policies/catalog/other.rego": b"package other\nx := 1\n"}
    found, said = load_bundle("catalog", files)
    assert found is None
    assert [(d.code, d.span) for d in said] == [("rego-refused", Span("policies/catalog/authz.rego", 5, 3))]
    assert "0x" not in said[0].message
    monkeypatch.undo()
    assert load_bundle("catalog", files)[0] is not None


def test_an_opa_is_given_negations_as_they_are() -> None:
    files = {"policies/b/authz.rego": b"package b.authz\nallow if not object.union(input, {}).parsed_body.admin\n"}
    assert [d.code for d in load_bundle("b", files)[1]] == ["rego-refused"]
    assert load_bundle("b", files, "opa")[0] is not None


def test_bundle_holds_the_folder_and_platform() -> None:
    files = {
        "policies/catalog/authz.rego": ALLOW,
        "policies/platform/guard.rego": b"package platform\nok if data.catalog.owners[input.x]\n",
        "policies/catalog/data.json": b'{"owners": {"ann": true}}',
        "policies/platform/limits/data.yaml": b"max: 5\n",
        "policies/orders/authz.rego": b"package orders.authz\nthis is not read",
        "contracts/catalog/v1.yaml": b"{}",
    }
    bundle, said = load_bundle("catalog", files)
    assert bundle is not None
    assert not said
    assert bundle.data == {"catalog": {"owners": {"ann": True}}, "platform": {"limits": {"max": 5}}}
    assert bundle.default_entrypoint == "catalog/authz/allow"
    assert bundle.rules["catalog/authz/allow"] == (
        Span("policies/catalog/authz.rego", 2, 1),
        Span("policies/catalog/authz.rego", 3, 1),
    )
    shuffled = list(files.items())
    random.Random(7).shuffle(shuffled)
    assert load_bundle("catalog", dict(shuffled))[0] == bundle


def test_revision_follows_content() -> None:
    one, _ = load_bundle("catalog", {"policies/catalog/a.rego": ALLOW})
    two, _ = load_bundle("catalog", {"policies/catalog/a.rego": ALLOW + b"\n"})
    data, _ = load_bundle("catalog", {"policies/catalog/a.rego": ALLOW, "policies/catalog/data.json": b'{"a": 1}'})
    assert one
    assert two
    assert data
    assert len({one.revision, two.revision, data.revision}) == 3
    assert len(one.revision) == 16


def test_two_defaults_are_ambiguous() -> None:
    envoy = b"package envoy.authz\ndefault allow := false\n"
    bundle, _ = load_bundle("catalog", {"policies/catalog/a.rego": ALLOW, "policies/catalog/b.rego": envoy})
    assert bundle is not None
    assert bundle.default_entrypoint is None
    found = default_entrypoint(bundle)
    assert isinstance(found, Diagnostic)
    assert found.code == "policy-ambiguous"
    only, _ = load_bundle("catalog", {"policies/catalog/b.rego": envoy})
    assert only is not None
    assert default_entrypoint(only) == "envoy/authz/allow"


def test_unknown_rule_is_suggested() -> None:
    bundle, _ = load_bundle("catalog", {"policies/catalog/a.rego": ALLOW})
    assert bundle is not None
    assert check_entrypoint(bundle, "catalog/authz/allow") is None
    found = check_entrypoint(bundle, "catalog/authz/alow")
    assert found is not None
    assert found.code == "policy-unknown-rule"
    assert found.help == "did you mean `catalog/authz/allow`?"


def test_chosen_rule_must_not_allow_everything() -> None:
    text = b"package catalog.authz\ndefault permit := true\n"
    bundle, said = load_bundle("catalog", {"policies/catalog/a.rego": text})
    assert bundle is not None, said
    found = check_entrypoint(bundle, "catalog/authz/permit")
    assert found is not None
    assert found.code == "policy-open"


@pytest.mark.parametrize("seed", range(40))
def test_any_text_gives_a_bundle_or_diagnostics(seed: int) -> None:
    """Mutated policies neither raise nor hang; whole folders of them would be too slow to compile, so outlines are enough."""
    from xds.policy.outline import outline

    chance = random.Random(seed)
    text = list((ALLOW * 3).decode())
    for _ in range(chance.randrange(1, 12)):
        text[chance.randrange(len(text))] = chance.choice('{}[]()"`\\:=. \n\0é#xif')
    found, said = outline("a.rego", "".join(text))
    assert (found is None) == bool(said)


@pytest.mark.parametrize("text", ["(" * 50_000, "package a\nx := " + "[" * 150 + "]" * 150, '"' * 9999, "a." * 100_000])
def test_hostile_text_is_refused_or_compiled_quickly(text: str) -> None:
    bundle, said = load_bundle("catalog", {"policies/catalog/a.rego": text.encode()})
    assert bundle is not None or said


def test_of_many_services_each_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, a change of one service compiles the policies of one."""
    from xds.policy import bundle as bundles

    made: list[str] = []
    monkeypatch.setattr(bundles, "_MEMO", {})
    monkeypatch.setattr(bundles, "_LEAST", 4)
    monkeypatch.setattr(bundles, "_load", lambda service, own, engine: made.append(service) or (None, ()))
    names = [f"s{number}" for number in range(9)]
    for change in range(20):
        files = {f"policies/{name}/authz.rego": ALLOW for name in names}
        files["policies/s0/authz.rego"] += b"# change %d\n" % change
        for name in names:
            load_bundle(name, files)
    assert made == [*names, *["s0"] * 19]
    assert len(bundles._MEMO) <= 2 * len(names)
