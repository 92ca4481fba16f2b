"""The last good snapshot on disk: whole or refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.ads import resources as r
from xds.snapshot import Snapshot, Store, StoreError


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return r.snapshot(r.gateway(r.static("one", 1), r.route("one")))


def test_what_is_kept_comes_back_equal(tmp_path: Path, snapshot: Snapshot) -> None:
    store = Store(tmp_path / "new" / "folder" / "edge")
    assert store.load() is None
    store.save(snapshot, "digest-1")
    stored = store.load()
    assert stored is not None
    assert (stored.snapshot, stored.tag) == (snapshot, "digest-1")
    assert stored.snapshot.digest == snapshot.digest
    assert store.path.stat().st_mode & 0o077 == 0, "secrets are in it"
    assert [p.name for p in store.path.parent.iterdir()] == ["edge"]


def test_every_damage_is_refused(tmp_path: Path, snapshot: Snapshot) -> None:
    store = Store(tmp_path / "edge")
    store.save(snapshot, "t")
    whole = store.path.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 150)):
        store.path.write_bytes(whole[:at])
        with pytest.raises(StoreError):
            store.load()
        store.path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(StoreError):
            store.load()


@pytest.mark.parametrize("content", [b"", b"{}", b"sidegate snapshot 2\n", b"\x00" * 100])
def test_foreign_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "edge"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="remove it"):
        Store(path).load()


def test_a_well_formed_file_with_a_false_version_is_refused(tmp_path: Path, snapshot: Snapshot) -> None:
    from dataclasses import replace

    url, named = next(iter(snapshot.resources.items()))
    name, one = next(iter(named.items()))
    Store(tmp_path / "edge").save(Snapshot({url: {name: replace(one, version="0" * 16)}}), "t")
    with pytest.raises(StoreError, match="version it claims"):
        Store(tmp_path / "edge").load()


def test_a_disk_that_refuses_keeps_the_old_file(
    tmp_path: Path, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "edge")
    store.save(snapshot, "old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left on device"):
        store.save(snapshot, "new")
    monkeypatch.undo()
    stored = store.load()
    assert stored is not None
    assert stored.tag == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["edge"]


def test_a_folder_that_cannot_be_is_reported(tmp_path: Path, snapshot: Snapshot) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="is not kept"):
        Store(tmp_path / "file" / "edge").save(snapshot, "t")
    with pytest.raises(StoreError, match="cannot be read"):
        Store(tmp_path / "file" / "edge").load()
