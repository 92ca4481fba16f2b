"""Kubernetes exchanges what it mounts by one link: a reader sees all of the old or all of the new, and is told."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.packs.members import member
from xds.packs.archive import compressed
from xds.project.project import Project
from xds.project.watch import changes
from xds.source import read_tree

BOUND_S = 120.0


class Mount:
    """A volume, written as the kubelet's atomic writer does it: steps and order are its own (`atomic_writer.go`)."""

    def __init__(self, folder: Path, files: dict[str, bytes]) -> None:
        self.folder, self.number = folder, 0
        folder.mkdir(parents=True)
        self.write(files)

    def write(self, files: dict[str, bytes]) -> None:
        self.number += 1
        made, old = f"..2026_11_23_{self.number}", self._current()
        for name, data in files.items():
            path = self.folder / made / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        os.symlink(made, self.folder / "..data_tmp")
        os.rename(self.folder / "..data_tmp", self.folder / "..data")
        names = {name.split("/")[0] for name in files}
        for name in names:
            if not os.path.lexists(self.folder / name):
                os.symlink(f"..data/{name}", self.folder / name)
        for entry in list(self.folder.iterdir()):
            if not entry.name.startswith("..") and entry.name not in names:
                entry.unlink()
        if old:
            shutil.rmtree(self.folder / old)

    def _current(self) -> str | None:
        link = self.folder / "..data"
        return os.readlink(link) if link.is_symlink() else None


@contextmanager
def swapping(mount: Mount, *versions: dict[str, bytes]) -> Iterator[threading.Event]:
    """Exchange the volume for one version after the other: many times during a reading, and on after each (when told)."""
    stop, read = threading.Event(), threading.Event()

    def run() -> None:
        order = [*versions, *versions, *versions]
        while not stop.is_set():
            for version in order:
                mount.write(version)
                stop.wait(0.001)
            order.reverse()  # what a reading finds between two rounds is each version in turn
            read.wait()  # however slow the machine is, a reading meets so many swaps and no more
            read.clear()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield read
    finally:
        stop.set()
        read.set()
        thread.join()


def plain(mark: str, extra: int) -> dict[str, bytes]:
    """A project whose files all say the same; one more of them in one version than in the other."""
    names = [f"contracts/pets/part{i}.yaml" for i in range(12 + extra)]
    names += ["policies/pets/authz.rego", "sidegate.yaml", "policies/platform/rules.rego"]
    return {name: mark.encode() * 50 for name in names}


def packs(mark: str, extra: int) -> dict[str, bytes]:
    names = [f"s{i}" for i in range(4 + extra)]
    return {f"{n}.zip": compressed({f"contracts/{n}/v1.yaml": mark.encode() * 50}) for n in names}


@pytest.mark.parametrize("version", [plain, packs])
def test_a_reader_sees_one_version(tmp_path: Path, version: object) -> None:
    old, new = version("a", 0), version("b", 1)  # type: ignore[operator]
    mount = Mount(tmp_path / "sources", old)
    seen = set()
    before = None
    with swapping(mount, new, old) as read:
        end, reads = time.monotonic() + BOUND_S, itertools.count()
        while next(reads) < 200 or (len(seen) < 2 and time.monotonic() < end):
            before = tree = read_tree(mount.folder, before)
            read.set()
            assert tree.problems == ()
            texts = {data[:1] for data in tree.files.values()}
            assert len(texts) == 1, "half of each"
            mark = texts.pop().decode()
            seen.add(mark)
            assert len(tree.files) == (len(old) if mark == "a" else len(new))
    assert seen == {"a", "b"}


def test_a_mount_inside_a_project_is_read_whole(tmp_path: Path) -> None:
    """As charts mount it: a volume below contracts/ or policies/."""
    old = {f"part{i}.yaml": b"a" for i in range(20)}
    new = {f"part{i}.yaml": b"b" for i in range(21)}
    mount = Mount(tmp_path / "contracts" / "pets", old)
    with swapping(mount, new, old) as read:
        for _ in range(100):
            tree = read_tree(tmp_path)
            read.set()
            assert tree.problems == ()
            assert len(set(tree.files.values())) == 1, "half of each"


def test_a_pack_in_a_mount_is_the_project(tmp_path: Path) -> None:
    pack = {name: text.encode() for name, text in member().items()}
    mount = Mount(tmp_path / "sources", {"pets.zip": compressed(pack)})
    project = Project(mount.folder, tmp_path / "state")
    first = project.compile()
    assert first.digests.keys() == {"pets/v1"}
    pack["contracts/pets/v1.yaml"] = pack["contracts/pets/v1.yaml"].replace(b"maximum: 100", b"maximum: 200")
    mount.write({"pets.zip": compressed(pack)})
    assert project.compile().digests != first.digests


def test_what_stands_beside_a_mounts_links_counts_too(tmp_path: Path) -> None:
    """A volume mounted into a volume: the folder of a pack's secrets."""
    mount = Mount(tmp_path / "sources", {"sidegate.yaml": b"x", "contracts/a/v1.yaml": b"y"})
    Mount(mount.folder / "keys", {"all.yaml": b"z"})
    tree = read_tree(mount.folder, extra=["keys/all.yaml"])
    assert tree.problems == ()
    assert tree.files == {"sidegate.yaml": b"x", "contracts/a/v1.yaml": b"y", "keys/all.yaml": b"z"}


@pytest.mark.parametrize("target", ["/etc", "../elsewhere", "elsewhere/inner", "."])
def test_a_data_link_leads_nowhere_else(tmp_path: Path, target: str) -> None:
    """Only to a folder beside it, as the kubelet makes it."""
    (tmp_path / "elsewhere" / "inner").mkdir(parents=True)
    (tmp_path / "elsewhere" / "sidegate.yaml").write_text("evil")
    (tmp_path / "elsewhere" / "inner" / "sidegate.yaml").write_text("evil")
    root = tmp_path / "root"
    root.mkdir()
    (root / "sidegate.yaml").write_text("own")
    os.symlink(target, root / "..data")
    assert read_tree(root).files == {"sidegate.yaml": b"own"}


@pytest.mark.parametrize("where", ["root", "contracts", "packs", "secrets"])
def test_swaps_are_noticed(tmp_path: Path, where: str) -> None:
    root, more = tmp_path / "root", tmp_path / "packs"
    for folder in (root, more):
        folder.mkdir()
    folder = {"root": root, "contracts": root / "contracts" / "a", "packs": more, "secrets": root / "cats" / "keys"}[
        where
    ]
    if where in ("root", "packs"):
        folder.rmdir()
    mount = Mount(folder, {"cats.zip": b"1"})

    async def follow() -> None:
        ticks = changes(root, lambda: ("cats/keys/all.yaml",), (more,))
        await asyncio.wait_for(anext(ticks), BOUND_S)
        reading = asyncio.create_task(anext(ticks))
        try:
            await asyncio.sleep(0)
            mount.write({"cats.zip": b"2"})
            await asyncio.wait_for(reading, BOUND_S)
        finally:
            await ticks.aclose()

    asyncio.run(follow())


def test_a_pack_that_is_copied_in_is_noticed(tmp_path: Path) -> None:
    async def follow() -> None:
        ticks = changes(tmp_path)
        await asyncio.wait_for(anext(ticks), BOUND_S)
        reading = asyncio.create_task(anext(ticks))
        try:
            (tmp_path / "cats.zip").write_bytes(b"1")
            await asyncio.wait_for(reading, BOUND_S)
        finally:
            await ticks.aclose()

    asyncio.run(follow())
