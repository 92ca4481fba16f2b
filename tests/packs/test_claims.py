"""Whoever answers a request goes on answering it, whatever another service's contract says: whole paths, parts, hosts."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.packs.members import member
from tests.packs.test_union import errors, index, put
from tests.projects import write
from xds.compile import Compilation, Compiler
from xds.project.project import Project
from xds.source import Tree


def service(name: str, base: str, *paths: str, hosts: str = "", more: str = "") -> dict[str, str]:
    """A service's folder with these paths below a base path."""
    files = member(name)
    document = yaml.safe_load(files[f"contracts/{name}/v1.yaml"])
    document["servers"] = [{"url": base}]
    document["paths"] = {path: _item(path, at) for at, path in enumerate(paths)}
    files[f"contracts/{name}/v1.yaml"] = yaml.safe_dump(document)
    named = f"{name}: {{upstream: "
    files["sidegate.yaml"] = files["sidegate.yaml"].replace(
        named, f"{name}: {{hosts: [{hosts}], upstream: " if hosts else named
    )
    files["sidegate.yaml"] += more
    return files


def _item(path: str, at: int) -> dict[str, object]:
    names = [part.partition("}")[0] for part in path.split("{")[1:]]
    parameters = [{"name": n, "in": "path", "required": True, "schema": {"type": "string"}} for n in names]
    answer = {"responses": {"200": {"description": "ok"}}}
    return {"parameters": parameters, "get": {"operationId": f"o{at}", **answer}}


CATS = service("cats", "/cats/v1", "/pets/{id}", "/pets/{id}/toys")
OVERLAPPING = [
    service("dogs", "/cats/v1", "/pets/vip"),
    service("dogs", "/cats/v1/pets", "/vip", "/other/x"),
    service("dogs", "/", "/x", "/{a}/{b}/{c}/vip"),
    service("dogs", "/", "/cats/{version}/pets/vip"),
    service("dogs", "/cats", "/{rest}/pets/a{b}"),
    service("dogs", "/cats/v1", "/pets/{name}"),
    service("dogs", "/cats/v1", "/pets/{name}/toys", hosts="api.example.com"),
]
APART = [
    service("dogs", "/dogs/v1", "/pets/{id}"),
    service("dogs", "/cats/v1", "/pets", "/pets/{id}/bones", "/pets/"),
    service("dogs", "/cats", "/v1", "/{rest}/pets"),
    service("dogs", "/", "/catsup/v1/pets/{id}", "/dogs/{id}"),
]


def seen(compiled: Compilation) -> set[tuple[str, str]]:
    return {(d.code, "" if d.span is None else d.span.file) for d in compiled.diagnostics}


@pytest.mark.parametrize("newcomer", OVERLAPPING)
def test_a_newcomer_takes_no_requests(tmp_path: Path, newcomer: dict[str, str]) -> None:
    """Neither all of a path nor some of it; and the one that was there is neither refused nor changed, also after a restart."""
    sources, state = put(tmp_path / "sources", cats=CATS), tmp_path / "state"
    project = Project(sources, state)
    good = project.compile()
    assert good.digests.keys() == {"cats/v1"}
    put(sources, aaa=newcomer)  # a name that would come first
    for compiled in (project.compile(), Project(sources, state).compile()):
        assert errors(compiled)[0][0] == "path-collision"
        assert errors(compiled)[0][1].startswith("aaa.zip/contracts/dogs/v1.yaml:")
        assert compiled.refused == {"dogs"}
        assert compiled.digests == good.digests
        related = next(d for d in compiled.diagnostics if d.is_error).related
        assert related[0][0].file == "cats.zip/contracts/cats/v1.yaml"


@pytest.mark.parametrize("newcomer", APART)
def test_what_no_request_shares_is_no_finding(tmp_path: Path, newcomer: dict[str, str]) -> None:
    compiled = Project(put(tmp_path, cats=CATS, dogs=newcomer)).compile()
    assert compiled.diagnostics == ()
    assert compiled.digests.keys() == {"cats/v1", "dogs/v1"}


@pytest.mark.parametrize("other", OVERLAPPING)
def test_in_one_folder_it_is_a_warning(tmp_path: Path, other: dict[str, str]) -> None:
    """With both places, unless no request could tell which is meant."""
    files = {**CATS, **other, "sidegate.yaml": _settings(CATS, other)}
    compiled = Project(write(tmp_path, files)).compile()
    codes = [d.code for d in compiled.diagnostics]
    if codes == ["path-collision"]:
        assert "{name}" in other["contracts/dogs/v1.yaml"]
        return
    assert codes == ["path-overlap"], compiled.diagnostics
    places = {compiled.diagnostics[0].span.file, compiled.diagnostics[0].related[0][0].file}  # type: ignore[union-attr]
    assert places == {"contracts/cats/v1.yaml", "contracts/dogs/v1.yaml"}
    assert compiled.digests.keys() == {"cats/v1", "dogs/v1"}


def _settings(*members: Mapping[str, str]) -> str:
    each = [yaml.safe_load(files["sidegate.yaml"]) for files in members]
    services = {name: value for one in each for name, value in one["services"].items()}
    return yaml.safe_dump({**each[0], "services": services})


def test_one_namespace_is_one_owner(tmp_path: Path) -> None:
    packs = put(tmp_path / "packs", a=CATS, b=OVERLAPPING[0])
    index(packs, a="shop", b="shop")
    assert seen(Project(tmp_path / "own", packs=[packs]).compile()) == {
        ("path-overlap", "a.zip/contracts/cats/v1.yaml")
    }
    index(packs, a="shop", b="zoo")
    assert Project(tmp_path / "own", packs=[packs]).compile().refused == {"dogs"}
    index(packs, b="zoo", a="shop")  # the one that was made first
    assert Project(tmp_path / "own", packs=[packs]).compile().refused == {"cats"}


def test_the_projects_own_come_first(tmp_path: Path) -> None:
    write(tmp_path, OVERLAPPING[0])
    compiled = Project(put(tmp_path, cats=CATS)).compile()
    assert compiled.refused == {"cats"}


@pytest.mark.parametrize("restart", [False, True])
def test_what_is_served_already_takes_nothing_later(tmp_path: Path, restart: bool) -> None:
    """A harmless contract that changes, of a pack that is older and comes first by name: it goes on as it was, and whom it
    would have taken from may still change."""
    sources, state = tmp_path / "sources", tmp_path / "state"
    aaa = service("aaa", "/aaa", "/x")
    put(sources, aaa=aaa, cats=CATS)
    index(sources, aaa="evil", cats="shop")
    own = tmp_path / "own"
    project = Project(own, state, packs=[sources])
    good = project.compile()
    assert good.digests.keys() == {"aaa/v1", "cats/v1"}
    more = service("cats", "/cats/v1", "/pets/{id}", "/pets/{id}/toys", "/new")
    put(sources, aaa=service("aaa", "/", "/aaa/x", "/cats/v1/pets/vip"), cats=more)
    now = (Project(own, state, packs=[sources]) if restart else project).compile()
    assert now.refused == {"aaa"}
    assert now.digests["aaa/v1"] == good.digests["aaa/v1"]
    assert now.digests["cats/v1"] != good.digests["cats/v1"]


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("how", ["broken", "damaged"])
def test_what_goes_on_as_it_was_keeps_its_paths(tmp_path: Path, restart: bool, how: str) -> None:
    """While its new form is refused, nobody else takes what its last good form answers."""
    sources, state = put(tmp_path / "sources", cats=CATS, birds=member("birds")), tmp_path / "state"
    project = Project(sources, state)
    good = project.compile()
    broken = CATS | {"contracts/cats/v1.yaml": CATS["contracts/cats/v1.yaml"].replace("type: string", "type: strong")}
    if how == "broken":
        put(sources, cats=broken, aaa=OVERLAPPING[0])
    else:
        (sources / "cats.zip").write_bytes(b"")
        put(sources, aaa=OVERLAPPING[0])
    now = (Project(sources, state) if restart else project).compile()
    assert now.refused == {"cats", "dogs"}
    assert "path-collision" in {code for code, _ in errors(now)}
    assert now.digests == good.digests


@pytest.mark.parametrize("restart", [False, True])
def test_what_is_held_back_keeps_its_paths(tmp_path: Path, restart: bool) -> None:
    """A contract that drops a path breaks its clients and is held back: the path is not free."""
    sources, state = tmp_path / "sources", tmp_path / "state"
    put(sources, cats=CATS)
    project = Project(sources, state)
    good = project.compile()
    put(sources, cats=service("cats", "/cats/v1", "/pets/{id}/toys"), dogs=OVERLAPPING[0])
    now = (Project(sources, state) if restart else project).compile()
    assert now.refused == {"cats", "dogs"}
    assert {code for code, _ in errors(now)} == {"contract-breaking", "path-collision"}
    assert now.digests == good.digests


HOSTS = [
    ("*.example.com", "api.example.com", True),
    ("api.example.com", "*.example.com", True),
    ("*.example.com", "*.api.example.com", True),
    ("api.example.com", "www.example.com", False),
    ("*.example.com", "example.com", False),
    ("*.example.com", "api.example.org", False),
]


@pytest.mark.parametrize(("first", "second", "taken"), HOSTS)
def test_a_host_below_anothers_wildcard(tmp_path: Path, first: str, second: str, taken: bool) -> None:
    """Envoy takes the narrowest: all that the wildcard's owner answers there would be 404."""
    cats, dogs = (
        service(name, f"/{name}", "/x", hosts=f"'{host}'") for name, host in (("cats", first), ("dogs", second))
    )
    sources = put(tmp_path / "sources", cats=cats)
    project = Project(sources)
    project.compile()
    put(sources, aaa=dogs)
    compiled = project.compile()
    assert compiled.refused == ({"dogs"} if taken else set())
    assert [code for code, _ in errors(compiled)] == ["path-collision"] * taken
    both = write(tmp_path / "one", {**cats, **dogs, "sidegate.yaml": _settings(cats, dogs)})
    assert Project(both).compile().diagnostics == ()


def test_a_host_that_is_taken_later(tmp_path: Path) -> None:
    sources = put(tmp_path / "sources", aaa=service("aaa", "/aaa", "/x", hosts="a.test"))
    put(sources, cats=service("cats", "/cats", "/x", hosts="'*.example.com'"))
    project = Project(sources)
    assert errors(project.compile()) == []
    put(sources, aaa=service("aaa", "/aaa", "/x", hosts="a.test, api.example.com"))
    assert project.compile().refused == {"aaa"}


def test_too_many_ways_to_overlap_are_the_newcomers_fault() -> None:
    """Nobody else is held up, and nothing is let through unseen."""
    few = [f"/{{a}}{n}/{{b}}{m}/{{c}}x" for n, m in itertools.product(range(40), range(12))]
    many = [f"/{n}{{a}}/{m}{{b}}/y{{c}}z" for n, m in itertools.product(range(40), range(12))]
    files = {**service("cats", "/", *few), **(dogs := service("dogs", "/", *many))}
    files["sidegate.yaml"] = _settings(service("cats", "/", "/x"), dogs)
    compiled = Compiler().compile(Tree({name: text.encode() for name, text in files.items()}))
    assert [d.code for d in compiled.diagnostics if d.is_error] == ["path-budget"]
    assert compiled.refused == {"dogs"}
