"""Law: whatever is changed in an export, an operation that AWS guarded is guarded, refused or not there; nothing crashes."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.importing.projects import CASES, document, optional, sources
from tests.importing.projects import FOLDER as EXAMPLES
from xds.importing import NoExport, Sources, import_aws
from xds.source import Document, load

_REPLACEMENTS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.just([]), st.just({}), st.just([None]), st.just({"a": 1}),
    st.sampled_from(["", "x", "${stageVariables.x}", "'*'", "$context.x", "http", "mock", "jwt", "http://h/{a}", "0", "{"]),
)  # fmt: skip


def _places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if at:
        yield at
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in members:
        yield from _places(inner, (*at, key))


def _changed(value: Any, at: tuple[Any, ...], new: Any, drop: bool) -> None:
    """One place replaced or taken out; one that an earlier change took away is left alone."""
    for key in at[:-1]:
        if not isinstance(value, (dict, list)) or (isinstance(value, dict) and key not in value):
            return
        if isinstance(value, list) and (not isinstance(key, int) or key >= len(value)):
            return
        value = value[key]
    if isinstance(value, dict) and at[-1] in value:
        if drop:
            del value[at[-1]]
        else:
            value[at[-1]] = new
    elif isinstance(value, list) and isinstance(at[-1], int) and at[-1] < len(value):
        value[at[-1]] = new


_TOPS = {case: sources(case) for case in CASES}
_PLACES = {case: list(_places(top.export.value)) for case, top in _TOPS.items()}


def _read(value: Any) -> Document:
    found, problems = load("export.json", json.dumps(value).encode())
    assert found is not None, problems
    return found


def _guarded(export: Any) -> Iterator[tuple[str, str]]:
    """Path and method of every operation that lists a scheme, or asks for IAM, in so many words."""
    for path, item in export["paths"].items():
        for verb, own in item.items() if isinstance(item, dict) else ():
            security = own.get("security") if isinstance(own, dict) else None
            if isinstance(security, list) and any(isinstance(each, dict) and each for each in security):
                yield path, verb


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_an_import_opens_nothing(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(CASES))
    value = copy.deepcopy(_TOPS[case].export.value)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.sampled_from(_PLACES[case]))
        _changed(value, at, data.draw(_REPLACEMENTS), data.draw(st.booleans()))
    stages, plans = (optional(EXAMPLES / case / name) for name in ("stages.json", "usage-plans.json"))
    try:
        made = import_aws(Sources(_read(value), stages, plans))
    except NoExport:
        return
    guarded = set(_guarded(value))
    for name, text in made.files.items():
        if name.startswith("contracts/"):
            service = name.split("/")[1]
            policy = made.files[f"policies/{service}/authz.rego"].decode()
            _judge(yaml.safe_load(text), policy, guarded)


def _judge(contract: Any, policy: str, guarded: set[tuple[str, str]]) -> None:
    """Open is what asks for no scheme, in one alternative at least; closed what the policy refuses and is asked about."""
    _, _, closed = policy.partition("refused := {")
    assert contract["x-sidegate"].get("policy") != "none"
    for path, item in contract["paths"].items():
        for verb, own in item.items():
            if (path, verb) in guarded and not (own["security"] and all(own["security"])):
                assert f'"{own["operationId"]}": ' in closed, (path, verb)
                assert own.get("x-sidegate", {}).get("mode", "enforce") == "enforce"
                assert own.get("x-sidegate", {}).get("policy") != "none"


def test_the_examples_have_what_the_law_is_about() -> None:
    assert sum(len(set(_guarded(document(next((EXAMPLES / c).glob("export.*"))).value))) for c in CASES) >= 5
