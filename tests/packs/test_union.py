"""Many packs are one project: each speaks for its own services, whoever came first keeps, and nobody holds up the others."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.packs.members import member
from xds.compile import Compilation
from xds.packs.archive import compressed
from xds.project.project import Project
from xds.source import read_tree
from xds.source.reading import Reading

Files = dict[str, str]


def put(folder: Path, **packs: Files) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, files in packs.items():
        (folder / f"{name}.zip").write_bytes(compressed({file: text.encode() for file, text in files.items()}))
    return folder


def errors(compilation: Compilation) -> list[tuple[str, str]]:
    return [(d.code, str(d.span)) for d in compilation.diagnostics if d.is_error]


def test_packs_beside_a_projects_own_files(tmp_path: Path) -> None:
    own = member("pets")
    for name, text in own.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    put(tmp_path, cats=member("cats"), dogs=member("dogs", "token"))
    compiled = Project(tmp_path).compile()
    assert errors(compiled) == []
    assert compiled.digests.keys() == {"cats/v1", "dogs/v1", "pets/v1"}
    assert [scheme.name for scheme in compiled.gateway.schemes] == ["bearer", "token"]


def test_digests_are_those_of_the_unpacked_folder(tmp_path: Path) -> None:
    """Also among others, and for every order in which they come."""
    put(tmp_path / "packs", cats=member("cats"), dogs=member("dogs"))
    together = Project(tmp_path / "packs").compile().digests
    for name in ("cats", "dogs"):
        alone = tmp_path / name
        for file, text in member(name).items():
            (alone / file).parent.mkdir(parents=True, exist_ok=True)
            (alone / file).write_text(text)
        assert Project(alone).compile().digests[f"{name}/v1"] == together[f"{name}/v1"]
    closed = Project(tmp_path / "own", closed=True, packs=[tmp_path / "packs"]).compile().digests
    assert closed == together


@pytest.mark.parametrize(("other", "found"), [("shop", []), ("elsewhere", [("pack-collision", "canary.zip/")])])
def test_two_workloads_bring_their_service_twice(tmp_path: Path, other: str, found: list[tuple[str, str]]) -> None:
    """The same of one owner is no dispute; it is one when they differ, and the second goes on when the first has gone."""
    packs = put(tmp_path / "packs", cats=member("cats"), canary=member("cats"), dogs=member("dogs"))
    made = {name: {"namespace": "shop", "created": created} for name, created in
            (("cats.zip", "2026-01-01"), ("dogs.zip", "2026-01-02"), ("canary.zip", "2026-01-03"))}  # fmt: skip
    made["canary.zip"]["namespace"] = other
    (packs / "index.json").write_text(json.dumps({"packs": made}))
    (tmp_path / "own").mkdir()
    project = Project(tmp_path / "own", packs=[packs])

    def said() -> list[tuple[str, str]]:
        return [(code, at[: len("canary.zip/")]) for code, at in errors(project.compile())]

    assert said() == found
    before = project.compile().digests
    assert before.keys() == {"cats/v1", "dogs/v1"}
    put(packs, canary=member("cats") | {"contracts/cats/more.yaml": "{}"})
    assert said() == [("pack-collision", "canary.zip/")]
    put(packs, canary=member("cats"))
    (packs / "cats.zip").unlink()
    assert said() == []
    assert project.compile().digests == before


def without_contract(files: Files) -> None:
    del files["contracts/dogs/v1.yaml"]


def anothers_policy(files: Files) -> None:
    files["policies/cats/more.rego"] = "package cats.more\n"


def gateway_wide(files: Files) -> None:
    files["sidegate.yaml"] += "\ntrustedHops: 1\n"


def anothers_settings(files: Files) -> None:
    files["sidegate.yaml"] = files["sidegate.yaml"].replace(
        "services: {", 'services: {cats: {upstream: "http://evil"}, '
    )


def broken_settings(files: Files) -> None:
    files["sidegate.yaml"] = "services: ["


def wrong_settings(files: Files) -> None:
    files["sidegate.yaml"] = files["sidegate.yaml"].replace('"http://127.0.0.1:9"', "7")


def listed_settings(files: Files) -> None:
    files["sidegate.yaml"] = "[]"


def anothers_service(files: Files) -> None:
    files["contracts/cats/v2.yaml"] = member("cats")["contracts/cats/v1.yaml"].replace("/cats/v1", "/cats/v2")


def anothers_scheme(files: Files) -> None:
    files["sidegate.yaml"] = files["sidegate.yaml"].replace("https://issuer.test", "https://evil.test")


def same_scheme_other_keys(files: Files) -> None:
    keys = json.loads(files["keys.json"])
    keys["keys"][0]["kid"] = "evil"
    files["keys.json"] = json.dumps(keys)


def lacks_keys(files: Files) -> None:
    del files["keys.json"]


def broken_contract(files: Files) -> None:
    files["contracts/dogs/v1.yaml"] = files["contracts/dogs/v1.yaml"].replace("type: integer", "type: integr")


def broken_policy(files: Files) -> None:
    files["policies/dogs/authz.rego"] = "package dogs.authz\n\nallow if {"


def anothers_paths(files: Files) -> None:
    login = 'login: {clientId: a, secret: {file: login.txt}, redirect: "/cats/v1/pets"}'
    files["sidegate.yaml"] = files["sidegate.yaml"].replace("file: keys.json}", "file: keys.json}, " + login)
    files["login.txt"] = "hush"


WRONG: list[tuple[Callable[[Files], None], str, str]] = [
    (without_contract, "pack-forbidden", "dogs.zip"),
    (anothers_policy, "pack-forbidden", "dogs.zip/policies/cats/more.rego"),
    (gateway_wide, "pack-forbidden", "dogs.zip/sidegate.yaml:3:1"),
    (anothers_settings, "pack-forbidden", "dogs.zip/sidegate.yaml:1:12"),
    (broken_settings, "yaml-syntax", "dogs.zip/sidegate.yaml:2:1"),
    (wrong_settings, "upstream-invalid", "dogs.zip/sidegate.yaml:1:19"),
    (anothers_paths, "pack-forbidden", "dogs.zip/sidegate.yaml:2:"),
    (listed_settings, "settings-invalid", "dogs.zip/sidegate.yaml:1:1"),
    (anothers_service, "pack-collision", "dogs.zip/contracts/cats/v2.yaml"),
    (anothers_scheme, "pack-collision", "dogs.zip/sidegate.yaml:2:12"),
    (same_scheme_other_keys, "pack-collision", "dogs.zip/sidegate.yaml:2:12"),
    (lacks_keys, "pack-collision", "dogs.zip/sidegate.yaml:2:12"),
    (broken_contract, "schema-type", "dogs.zip/contracts/dogs/v1.yaml:9:"),
    (broken_policy, "rego-syntax", "dogs.zip/policies/dogs/authz.rego:3:"),
]


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(("spoil", "code", "place"), WRONG)
def test_what_is_wrong_with_one_holds_up_no_other(
    tmp_path: Path, spoil: Callable[[Files], None], code: str, place: str, restart: bool
) -> None:
    """The pack's last good form serves on, places name it, and what the others say anew counts."""
    sources, state = put(tmp_path / "sources", cats=member("cats"), dogs=member("dogs")), tmp_path / "state"
    project = Project(sources, state)
    good = project.compile()
    assert good.digests.keys() == {"cats/v1", "dogs/v1"}
    files, cats = member("dogs"), member("cats")
    spoil(files)
    cats["contracts/cats/v1.yaml"] = cats["contracts/cats/v1.yaml"].replace("maximum: 100", "maximum: 200")
    put(sources, cats=cats, dogs=files)
    now = (Project(sources, state) if restart else project).compile()
    found = errors(now)
    assert [c for c, _ in found if c == code], found
    assert any(at.startswith(place) for _, at in found), found
    assert now.refused == {"dogs"}
    assert now.digests["dogs/v1"] == good.digests["dogs/v1"]
    assert now.digests["cats/v1"] != good.digests["cats/v1"]
    assert [s.issuer for s in now.gateway.schemes] == ["https://issuer.test"]  # type: ignore[union-attr]


def test_a_new_pack_takes_nothing_over(tmp_path: Path) -> None:
    """Whoever was there keeps, whatever the newcomer is called, also over a restart."""
    sources, state = put(tmp_path / "sources", cats=member("cats")), tmp_path / "state"
    put(sources, dogs=member("dogs"))
    project = Project(sources, state)
    good = project.compile()
    evil = member("cats")
    evil["sidegate.yaml"] = evil["sidegate.yaml"].replace("127.0.0.1:9", "127.0.0.1:666")
    put(sources, aaa=evil)
    for compiled in (project.compile(), Project(sources, state).compile()):
        assert ("pack-collision", "aaa.zip/contracts/cats/v1.yaml") in errors(compiled)
        assert compiled.digests == good.digests
        service = compiled.service("cats")
        assert service is not None
        assert service.versions[0].upstream.port == 9


def test_what_a_damaged_pack_had_nobody_takes_over(tmp_path: Path) -> None:
    sources, state = put(tmp_path / "sources", cats=member("cats"), dogs=member("dogs")), tmp_path / "state"
    project = Project(sources, state)
    good = project.compile()
    (sources / "cats.zip").write_bytes(b"")
    put(sources, aaa=member("cats"))
    for compiled in (project.compile(), Project(sources, state).compile()):
        assert {code for code, _ in errors(compiled)} == {"pack-unreadable", "pack-collision"}
        assert compiled.digests == good.digests
    (sources / "cats.zip").unlink()
    assert errors(project.compile()) == []


PLATFORM = "policies/platform/rules.rego"


def judged(compiled: Compilation, service: str) -> set[str]:
    """The files of a service's policies."""
    return set(compiled.bundles[service].modules)


def test_rules_for_everybody_of_a_pack_are_for_its_own_services(tmp_path: Path) -> None:
    """As they were in its own folder, also after a restart with the pack damaged; nobody else is judged by them."""
    dogs = member("dogs") | {PLATFORM: "package platform.rules\n\nopen := 1\n"}
    cats = member("cats") | {PLATFORM: "package platform.rules\n\nopen := 2\n"}
    sources, state = put(tmp_path / "sources", dogs=dogs, cats=cats, birds=member("birds")), tmp_path / "state"
    compiled = Project(sources, state).compile()
    assert errors(compiled) == []
    assert PLATFORM in judged(compiled, "dogs") & judged(compiled, "cats")
    assert PLATFORM not in judged(compiled, "birds")
    alone = put(tmp_path / "alone", dogs=dogs)
    assert Project(alone).compile().bundles["dogs"].revision == compiled.bundles["dogs"].revision
    (sources / "dogs.zip").write_bytes(b"")
    again = Project(sources, state).compile()
    assert again.bundles["dogs"].revision == compiled.bundles["dogs"].revision


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (PLATFORM, "package platform.rules\n\nopen if true\n"),
        ("policies/platform/more.rego", "package platform.rules\n"),
    ],
)
def test_the_projects_rules_for_everybody_are_not_added_to(tmp_path: Path, file: str, text: str) -> None:
    """A rule more in a package of the project's could undo what that says. The same file says the same."""
    rules = "package platform.rules\n\nopen if false\n"
    (tmp_path / PLATFORM).parent.mkdir(parents=True)
    (tmp_path / PLATFORM).write_text(rules)
    put(tmp_path, cats=member("cats") | {PLATFORM: rules}, dogs=member("dogs") | {PLATFORM: rules, file: text})
    compiled = Project(tmp_path).compile()
    assert errors(compiled) == [("pack-forbidden", f"dogs.zip/{file}")]
    assert compiled.digests.keys() == {"cats/v1"}
    assert PLATFORM in judged(compiled, "cats")


def test_a_pack_does_not_use_anothers_scheme(tmp_path: Path) -> None:
    """Tokens of another team's issuer are no tokens of one's own."""
    dogs = member("dogs", "theirs")
    dogs["sidegate.yaml"] = dogs["sidegate.yaml"].splitlines()[0]
    compiled = Project(put(tmp_path, cats=member("cats", "theirs"), dogs=dogs)).compile()
    assert compiled.refused == {"dogs"}
    assert [code for code, _ in errors(compiled)] == ["scheme-unconfigured"]


def test_the_projects_own_scheme_is_everybodys(tmp_path: Path) -> None:
    own, dogs = member("pets"), member("dogs")
    (tmp_path / "sidegate.yaml").write_text(own["sidegate.yaml"].splitlines()[1])
    (tmp_path / "keys.json").write_text(own["keys.json"])
    dogs["sidegate.yaml"] = dogs["sidegate.yaml"].splitlines()[0]
    compiled = Project(put(tmp_path, dogs=dogs)).compile()
    assert errors(compiled) == []
    assert compiled.digests.keys() == {"dogs/v1"}


def test_the_project_places_a_packs_service(tmp_path: Path) -> None:
    """What whoever runs the gateway says of a service stands above what its owner says."""
    (tmp_path / "sidegate.yaml").write_text('services: {dogs: {upstream: "http://127.0.0.1:7"}}\n')
    compiled = Project(put(tmp_path, dogs=member("dogs"))).compile()
    assert errors(compiled) == []
    service = compiled.service("dogs")
    assert service is not None
    assert service.versions[0].upstream.port == 7


def test_secrets_lie_beside_the_pack(tmp_path: Path) -> None:
    files = member("dogs")
    files["contracts/dogs/v1.yaml"] = (
        files["contracts/dogs/v1.yaml"]
        .replace(
            'bearer: {type: oauth2, flows: {clientCredentials: {tokenUrl: "https://t", scopes: {"pets:write": w}}}}',
            "bearer: {type: apiKey, in: header, name: x-key}",
        )
        .replace('["pets:write"]', "[]")
    )
    files["sidegate.yaml"] = (
        files["sidegate.yaml"].splitlines()[0] + "\nsecurity: {bearer: {keys: {file: keys/all.yaml}}}\n"
    )
    put(tmp_path, dogs=files, cats=member("cats", "token"))
    lacking = Project(tmp_path).compile()
    assert lacking.refused == {"dogs"}
    assert ("file-unreadable", "dogs/keys/all.yaml") in errors(lacking)
    (tmp_path / "dogs" / "keys").mkdir(parents=True)
    (tmp_path / "dogs" / "keys" / "all.yaml").write_text(f"keys: [{{consumer: ada, sha256: {'ab' * 32}}}]\n")
    project = Project(tmp_path)
    assert errors(project.compile()) == []
    assert "dogs/keys/all.yaml" in project.key_files()
    # Not those of another pack, and not by way of another folder.
    files["sidegate.yaml"] = files["sidegate.yaml"].replace("keys/all.yaml", "../dogs/keys/all.yaml")
    put(tmp_path, dogs=files)
    assert Project(tmp_path).compile().refused == {"dogs"}


def index(folder: Path, **namespaces: str) -> None:
    packs = {
        f"{name}.zip": {"namespace": ns, "created": f"2026-01-0{i}"} for i, (name, ns) in enumerate(namespaces.items())
    }
    (folder / "index.json").write_text(json.dumps({"packs": packs}))


def test_namespaces_define_what_they_may(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "sidegate.yaml").write_text("packs: {namespaces: {shop: [cats, 'd*']}}\n")
    packs = put(tmp_path / "packs", a=member("cats"), b=member("dogs"), c=member("pets"), d=member("birds"))
    index(packs, a="shop", b="shop", c="shop", d="zoo")
    project = Project(own, packs=[packs])
    compiled = project.compile()
    assert compiled.digests.keys() == {"cats/v1", "dogs/v1"}
    assert errors(compiled) == [
        ("pack-forbidden", "c.zip/contracts/pets/v1.yaml"),
        ("pack-forbidden", "d.zip/contracts/birds/v1.yaml"),
    ]
    assert project.namespaces() == {"cats": "shop", "dogs": "shop"}


@pytest.mark.parametrize("text", ["packs: 1", "packs: {spaces: {}}", "packs: {namespaces: {shop: cats}}"])
def test_namespaces_are_checked(tmp_path: Path, text: str) -> None:
    put(tmp_path, cats=member("cats"))
    (tmp_path / "sidegate.yaml").write_text(text)
    assert {code for code, _ in errors(Project(tmp_path).compile())} <= {"settings-invalid", "settings-unknown-key"}
    assert errors(Project(tmp_path).compile())


@pytest.mark.parametrize("name", ["edge", "ratelimit", "platform"])
def test_names_that_no_service_has(tmp_path: Path, name: str) -> None:
    """A certificate of a service `edge` would be that of the gateway in front of all; its policies those for everybody."""
    packs = put(tmp_path / "packs", a=member("cats"), b=member(name))
    index(packs, a="shop", b="evil")
    project = Project(tmp_path / "own", packs=[packs])
    compiled = project.compile()
    assert errors(compiled) == [("service-reserved", f"b.zip/contracts/{name}/v1.yaml")]
    assert compiled.refused == {name}
    assert compiled.digests.keys() == {"cats/v1"}
    assert project.namespaces() == {"cats": "shop"}
    alone = put(tmp_path / "alone", b=member(name))
    assert ("service-reserved", f"b.zip/contracts/{name}/v1.yaml") in errors(Project(alone).compile())


def test_the_older_config_map_keeps(tmp_path: Path) -> None:
    """By the time it was made, so that replicas which start at different times agree."""
    packs = put(tmp_path / "packs", a=member("cats"), b=member("cats"))
    index(packs, b="shop", a="evil")
    project = Project(tmp_path / "own", packs=[packs])
    assert errors(project.compile()) == [("pack-collision", "a.zip/contracts/cats/v1.yaml")]
    assert project.namespaces() == {"cats": "shop"}


def test_one_name_in_two_folders(tmp_path: Path) -> None:
    own, more = put(tmp_path / "own", cats=member("cats")), put(tmp_path / "more", cats=member("dogs"))
    compiled = Project(own, packs=[more]).compile()
    assert compiled.digests.keys() == {"cats/v1"}
    assert errors(compiled) == [("pack-collision", "cats.zip")]


def test_environments_of_packs(tmp_path: Path) -> None:
    files = member("dogs") | {"sidegate.prod.yaml": 'services: {dogs: {upstream: "http://127.0.0.1:7"}}\n'}
    put(tmp_path, dogs=files, cats=member("cats"))
    compiled = Project(tmp_path, env="prod").compile()
    assert errors(compiled) == []
    ports = {s.name: s.versions[0].upstream.port for s in compiled.gateway.services}
    assert ports == {"cats": 9, "dogs": 7}
    assert [code for code, _ in errors(Project(tmp_path, env="test").compile())] == ["layer-missing"]


def test_links_to_packs_stay_inside(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere", cats=member("cats"))
    sources = put(tmp_path / "sources", dogs=member("dogs"))
    os.symlink(tmp_path / "elsewhere" / "cats.zip", sources / "cats.zip")
    tree = read_tree(sources)
    assert [(d.code, str(d.span)) for d in tree.problems] == [("path-escapes", "cats.zip")]
    assert "contracts/cats/v1.yaml" not in tree.files


def test_a_namespace_is_known_for_as_long_as_its_service_is_served(tmp_path: Path) -> None:
    """Nobody else's account may speak for it: not when its last pack is gone, and not after a restart."""
    own, packs, state = tmp_path / "own", put(tmp_path / "packs", a=member("cats")), tmp_path / "state"
    index(packs, a="shop")
    project = Project(own, state, packs=[packs])
    project.compile()
    (packs / "a.zip").unlink()
    for each in (project, Project(own, state, packs=[packs])):
        assert each.compile().digests.keys() == {"cats/v1"}
        assert each.namespaces() == {"cats": "shop"}
    put(packs, b=member("dogs"))
    index(packs, b="zoo")
    assert project.compile().digests.keys() == {"dogs/v1"}
    assert project.namespaces() == {"dogs": "zoo"}


def test_packs_that_change_too_fast_keep_their_namespaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packs = put(tmp_path / "packs", a=member("cats"))
    index(packs, a="shop")
    project = Project(tmp_path / "own", packs=[packs])
    project.compile()
    monkeypatch.setattr(Reading, "moved", lambda _: True)
    assert project.compile().refused == {"cats"}
    assert project.namespaces() == {"cats": "shop"}
