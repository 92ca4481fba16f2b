"""A folder of packs follows an API through all that can happen to it, and never goes back."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.kubernetes.told import ToldApi
from tests.packs.members import member
from tests.waiting import soon
from xds.kubernetes import KubernetesSource, source
from xds.kubernetes.objects import source_of
from xds.packs.archive import compressed
from xds.packs.unpacking import unpacked_strictly
from xds.project.project import Project

BOUND_S = 30.0


@pytest.fixture
def api() -> Iterator[ToldApi]:
    made = ToldApi()
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "FIRST_WAIT_S", 0.02)
    monkeypatch.setattr(source, "LONGEST_WAIT_S", 0.1)


def zipped(text: str = "a", name: str = "pets") -> dict[str, dict[str, str]]:
    """The binaryData of a pack that is told from others by a text."""
    data = compressed({f"contracts/{name}/v1.yaml": text.encode()})
    return {"binaryData": {f"{name}.zip": base64.b64encode(data).decode()}}


def held(folder: Path) -> dict[str, dict[str, bytes]]:
    """What whoever reads the folder sees: the files of every pack."""
    current = folder / os.readlink(folder / "..data")
    return {path.name: unpacked_strictly(path.read_bytes()) for path in sorted(current.glob("*.zip"))}


def texts(folder: Path) -> dict[str, str]:
    """Each pack's contract."""
    try:
        return {name: next(iter(files.values())).decode() for name, files in held(folder).items()}
    except FileNotFoundError:
        return {}


@asynccontextmanager
async def running(api: ToldApi, folder: Path, namespaces: tuple[str, ...] = ()) -> AsyncIterator[KubernetesSource]:
    made = KubernetesSource(folder, namespaces, api.config)
    task = asyncio.create_task(made.run())
    try:
        yield made
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_is_labelled_is_there_and_follows(api: ToldApi, tmp_path: Path) -> None:
    api.put("shop", "pets", **zipped("one"))
    async with running(api, tmp_path) as following:
        assert await following.first(BOUND_S)
        assert texts(tmp_path) == {"shop.pets.zip": "one"}
        await soon(lambda: following.problems() == [] and api.watching == 1)
        api.put("shop", "pets", **zipped("two"))
        api.put("zoo", "cats", **zipped("three"))
        await soon(lambda: texts(tmp_path) == {"shop.pets.zip": "two", "zoo.cats.zip": "three"})
        api.delete("shop", "pets")
        await soon(lambda: texts(tmp_path) == {"zoo.cats.zip": "three"})
    asked = api.requests[0]
    assert asked["labelSelector"] == "sidegate.io/sources=true"
    assert api.asked(watch=True)[0]["allowWatchBookmarks"] == "true"
    assert len(api.asked(watch=False)) == 1


async def test_a_list_of_many_pages(api: ToldApi, tmp_path: Path) -> None:
    for number in range(120):
        api.put("shop", f"s{number}", **zipped(str(number)))
    async with running(api, tmp_path) as following:
        assert await following.first(BOUND_S)
        assert len(texts(tmp_path)) == 120
    assert len(api.asked(watch=False)) == 3


async def test_plain_files_by_their_paths(api: ToldApi, tmp_path: Path) -> None:
    paths = {"c": "contracts/pets/v1.yaml", "s": "sidegate.yaml", "b": "api.bin", "more.zip": "more.zip"}
    metadata = {"annotations": {"sidegate.io/paths": json.dumps(paths)}}
    binary = {"b": base64.b64encode(b"\0").decode(), "more.zip": zipped("two")["binaryData"]["pets.zip"]}
    data = {"c": "the contract", "s": "the settings", "other": "-"}
    api.put("shop", "pets", data=data, binaryData=binary, metadata=metadata)
    async with running(api, tmp_path) as following:
        assert await following.first(BOUND_S)
        assert held(tmp_path) == {
            "shop.pets_more.zip": {"contracts/pets/v1.yaml": b"two"},
            "shop.pets.zip": {
                "api.bin": b"\0",
                "contracts/pets/v1.yaml": b"the contract",
                "sidegate.yaml": b"the settings",
            },
        }


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        ("{", "is no JSON"),
        ('["a"]', "no object"),
        ('{"a": "x", "b": "x"}', "twice"),
        ('{"z": "x"}', "has not"),
        (None, "neither"),
    ],
)
async def test_what_cannot_be_understood_is_told(
    api: ToldApi, tmp_path: Path, annotation: str | None, words: str
) -> None:
    metadata = {"annotations": {"sidegate.io/paths": annotation}} if annotation else {}
    api.put("shop", "pets", data={"a": "1", "b": "2"}, metadata=metadata)
    async with running(api, tmp_path) as following:
        assert await following.first(BOUND_S)
        (problem,) = following.problems()
        assert words in problem
        assert "shop/pets" in problem
    compiled = Project(tmp_path / "own", packs=[tmp_path]).compile()
    assert "pack-unreadable" in [d.code for d in compiled.diagnostics]


async def test_a_watch_that_is_dropped_goes_on_where_it_was(api: ToldApi, tmp_path: Path) -> None:
    api.put("shop", "pets", **zipped("one"))
    async with running(api, tmp_path) as following:
        assert await following.first(BOUND_S)
        await soon(lambda: api.watching == 1)
        version = api.bookmark()
        api.put("shop", "pets", **zipped("two"))
        await soon(lambda: texts(tmp_path) == {"shop.pets.zip": "two"})
        api.drop()
        await soon(lambda: len(api.asked(watch=True)) == 2)
        assert int(api.asked(watch=True)[1]["resourceVersion"]) == version + 1
        await soon(lambda: api.watching == 1)
        api.drop(abruptly=False)
        await soon(lambda: api.watching == 1)
        api.put("shop", "pets", **zipped("three"))
        await soon(lambda: texts(tmp_path) == {"shop.pets.zip": "three"})
        await soon(lambda: following.problems() == [])
    assert len(api.asked(watch=False)) == 1


async def test_after_a_bookmark_nothing_before_it_is_asked_again(api: ToldApi, tmp_path: Path) -> None:
    async with running(api, tmp_path) as following:
        assert await following.first(BOUND_S)
        await soon(lambda: api.watching == 1)
        version = api.bookmark()
        await soon(lambda: following.holdings.seen["*"].number == version)
        api.drop(abruptly=False)
        await soon(lambda: len(api.asked(watch=True)) == 2)
    assert int(api.asked(watch=True)[1]["resourceVersion"]) == version


@pytest.mark.parametrize("inside", [True, False])
async def test_gone_is_listed_anew(api: ToldApi, tmp_path: Path, inside: bool) -> None:
    """410, as an event of a watch and as an answer to one: also what was deleted meanwhile is noticed."""
    api.put("shop", "pets", **zipped("one"))
    api.put("shop", "cats", **zipped("gone soon"))
    async with running(api, tmp_path) as following:
        assert await following.first(BOUND_S)
        await soon(lambda: api.watching == 1)
        api.delete("shop", "cats", tell=False)
        api.put("shop", "pets", tell=False, **zipped("two"))
        if inside:
            api.tell("ERROR", {"kind": "Status", "code": 410, "message": "too old resource version"})
        else:
            api.watch_refuse = (410, "too old resource version")
            api.drop(abruptly=False)
        await soon(lambda: texts(tmp_path) == {"shop.pets.zip": "two"})
        api.watch_refuse = None
        await soon(lambda: following.problems() == [] and api.watching >= 1)
    assert len(api.asked(watch=False)) >= 2


async def test_an_api_that_cannot_be_read_takes_nothing_away(api: ToldApi, tmp_path: Path) -> None:
    api.put("shop", "pets", **zipped("one"))
    async with running(api, tmp_path) as following:
        assert await following.first(BOUND_S)
        await soon(lambda: api.watching == 1)
        api.refuse = (403, "configmaps is forbidden")
        api.drop()
        await soon(lambda: following.problems() == ["configmaps is forbidden"])
        assert texts(tmp_path) == {"shop.pets.zip": "one"}
        api.refuse = None
        await soon(lambda: following.problems() == [])
        api.put("shop", "pets", **zipped("two"))
        await soon(lambda: texts(tmp_path) == {"shop.pets.zip": "two"})


async def test_after_a_restart_without_an_api_what_was_there_serves(api: ToldApi, tmp_path: Path) -> None:
    api.put("shop", "pets", **zipped("one"))
    async with running(api, tmp_path) as following:
        assert await following.first(BOUND_S)
    api.refuse = (500, "etcd has no leader")
    async with running(api, tmp_path) as following:
        await soon(lambda: following.problems() == ["etcd has no leader"])
        assert not await following.first(0.01)
        assert texts(tmp_path) == {"shop.pets.zip": "one"}


@pytest.mark.parametrize("restart", [True, False])
async def test_an_older_list_is_not_taken(api: ToldApi, tmp_path: Path, restart: bool) -> None:
    """A server that is behind, or an etcd out of a backup: what was enforced is not undone by it."""
    api.put("shop", "pets", **zipped("one"))
    api.put("shop", "pets", **zipped("two"))
    async with running(api, tmp_path) as following:
        assert await following.first(BOUND_S)
        await soon(lambda: api.watching == 1)
        if not restart:
            api.list_version = 99
            api.objects.clear()
            api.tell("ERROR", {"kind": "Status", "code": 410, "message": "too old resource version"})
            await soon(lambda: any("older than 102" in problem for problem in following.problems()))
            assert texts(tmp_path) == {"shop.pets.zip": "two"}
    if restart:
        api.list_version = 101
        api.objects.clear()
        async with running(api, tmp_path) as following:
            await soon(lambda: any("as of 101, older than 102" in problem for problem in following.problems()))
            assert texts(tmp_path) == {"shop.pets.zip": "two"}
            api.list_version = None
            await soon(lambda: texts(tmp_path) == {})


async def test_an_older_event_is_not_taken(api: ToldApi, tmp_path: Path) -> None:
    api.put("shop", "pets", **zipped("one"))
    old = json.loads(json.dumps(api.objects["shop", "pets"]))
    api.put("shop", "pets", **zipped("two"))
    async with running(api, tmp_path) as following:
        assert await following.first(BOUND_S)
        await soon(lambda: api.watching == 1)
        api.tell("MODIFIED", old)
        api.put("zoo", "cats", **zipped("three"))
        await soon(lambda: "zoo.cats.zip" in texts(tmp_path))
        assert texts(tmp_path)["shop.pets.zip"] == "two"


async def test_half_of_the_namespaces_is_never_written(api: ToldApi, tmp_path: Path) -> None:
    api.put("shop", "pets", **zipped("one"))
    api.put("zoo", "cats", **zipped("two"))
    api.forbidden = {"zoo"}
    async with running(api, tmp_path, ("shop", "zoo")) as following:
        await soon(lambda: any("forbidden" in problem for problem in following.problems()) and api.watching == 1)
        assert not await following.first(0.05)
        assert not (tmp_path / "..data").exists()
        api.forbidden = set()
        assert await following.first(BOUND_S)
        assert texts(tmp_path) == {"shop.pets.zip": "one", "zoo.cats.zip": "two"}
        # One that fails later holds up nobody else, and loses nothing.
        await soon(lambda: api.watching == 2)
        api.forbidden = {"zoo"}
        api.drop()
        api.put("shop", "pets", **zipped("three"))
        await soon(lambda: texts(tmp_path) == {"shop.pets.zip": "three", "zoo.cats.zip": "two"})


async def test_a_folder_that_was_spoilt_is_fetched_anew(api: ToldApi, tmp_path: Path) -> None:
    api.put("shop", "pets", **zipped("one"))
    async with running(api, tmp_path) as following:
        assert await following.first(BOUND_S)
    (tmp_path / "..data" / "index.json").write_text("{")
    async with running(api, tmp_path) as following:
        assert await following.first(BOUND_S)
        assert texts(tmp_path) == {"shop.pets.zip": "one"}


async def test_no_configuration_is_trouble_and_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    following = KubernetesSource(tmp_path / "packs")
    task = asyncio.create_task(following.run())
    await soon(lambda: any("no configuration" in problem for problem in following.problems()))
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_project_knows_namespaces_and_renamed_services(api: ToldApi, tmp_path: Path) -> None:
    """What the source writes is what a project reads: a service under a new name takes the place of the old one."""
    files = {name: text.encode() for name, text in member().items()}
    data = base64.b64encode(compressed(files)).decode()
    api.put("shop", "pets", binaryData={"pets.zip": data})
    renamed = {n.replace("/pets/", "/cats/"): t.replace(b"package pets", b"package cats") for n, t in files.items()}
    renamed["sidegate.yaml"] = files["sidegate.yaml"].replace(b"pets: {", b"cats: {")
    project = Project(tmp_path / "own", tmp_path / "state", packs=[tmp_path / "packs"])
    async with running(api, tmp_path / "packs") as following:
        assert await following.first(BOUND_S)
        assert project.compile().digests.keys() == {"pets/v1"}
        assert project.namespaces() == {"pets": "shop"}
        await soon(lambda: api.watching == 1)
        api.put("shop", "pets", binaryData={"pets.zip": base64.b64encode(compressed(renamed)).decode()})
        await soon(lambda: "contracts/cats/v1.yaml" in held(tmp_path / "packs")["shop.pets.zip"])
    compiled = project.compile()
    assert [d for d in compiled.diagnostics if d.is_error] == []
    assert compiled.digests.keys() == {"cats/v1"}
    # Nothing of the old name comes back when nothing compiles after a restart.
    (tmp_path / "packs" / "..data" / "shop.pets.zip").write_bytes(b"")
    again = Project(tmp_path / "own", tmp_path / "state", packs=[tmp_path / "packs"]).compile()
    assert again.digests.keys() == {"cats/v1"}
    assert again.refused == {"cats"}


def test_no_two_config_maps_share_a_files_name() -> None:
    """`x` with `p.zip` and another, and `x.p` with one alone."""

    def names(name: str, *keys: str) -> set[str]:
        metadata = {"namespace": "shop", "name": name, "resourceVersion": "1"}
        return set(source_of({"metadata": metadata, "binaryData": dict.fromkeys(keys, "")}).packs)

    assert names("x", "p.zip", "q.zip") == {"shop.x_p.zip", "shop.x_q.zip"}
    assert names("x.p", "p.zip") == {"shop.x.p.zip"}
