"""A pack that two readers could understand differently, or that is damaged, changes nothing."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from tests.packs.members import member
from tests.packs.zips import GOOD, HOSTILE, with_
from xds.packs.archive import compressed
from xds.packs.unpacking import Unreadable, unpacked_strictly
from xds.project.project import Project
from xds.source import packs, read_tree


@pytest.mark.parametrize("name", HOSTILE)
def test_is_refused(name: str) -> None:
    with pytest.raises(Unreadable):
        unpacked_strictly(HOSTILE[name])


def test_bombs_are_seen_before_they_go_off() -> None:
    for name in ("a large file", "many large files", "more than it says"):
        tracemalloc.start()
        with pytest.raises(Unreadable):
            unpacked_strictly(HOSTILE[name])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2 * 1024 * 1024, name


def test_what_others_write_well_is_read() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.mkdir("contracts/")
        for number, (file, data) in enumerate(GOOD.items()):
            archive.writestr(file, data, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)[number])
        archive.writestr("empty.txt", b"", zipfile.ZIP_BZIP2)
    assert unpacked_strictly(target.getvalue()) == {**GOOD, "empty.txt": b""}
    assert unpacked_strictly(with_("contracts/pets/ü.yaml"))["contracts/pets/ü.yaml"] == b"x"


@pytest.mark.parametrize("at", range(0, 100, 7))
def test_no_bit_flip_is_taken_for_the_pack(at: int) -> None:
    """Whatever falls over gives the same files, or none."""
    good = bytearray(compressed(GOOD))
    for bit in range(8):
        spoilt = bytearray(good)
        spoilt[len(good) * at // 100] ^= 1 << bit
        try:
            read = unpacked_strictly(bytes(spoilt))
        except Unreadable:
            continue
        assert set(read.values()) == set(GOOD.values())


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("name", ["nothing", "half", "upwards", "a wrong checksum"])
def test_the_last_good_stays_and_says_why(tmp_path: Path, name: str, restart: bool) -> None:
    """Of the pack alone, and of one among others: the others go on."""
    sources, state = tmp_path / "sources", tmp_path / "state"
    sources.mkdir()
    for service in ("cats", "dogs"):
        (sources / f"{service}.zip").write_bytes(packed(member(service)))
    project = Project(sources, state)
    good = project.compile()
    assert good.digests.keys() == {"cats/v1", "dogs/v1"}
    (sources / "cats.zip").write_bytes(HOSTILE[name])
    (sources / "dogs.zip").write_bytes(packed(member("dogs") | {"contracts/dogs/v2.yaml": second("dogs")}))
    now = (Project(sources, state) if restart else project).compile()
    assert now.refused == {"cats"}
    assert [(d.code, str(d.span).split("/")[0]) for d in now.diagnostics if d.is_error] == [
        ("pack-unreadable", "cats.zip")
    ]
    assert now.digests["cats/v1"] == good.digests["cats/v1"]
    assert now.digests.keys() == {"cats/v1", "dogs/v1", "dogs/v2"}


def second(service: str) -> str:
    return member(service)[f"contracts/{service}/v1.yaml"].replace(f"/{service}/v1", f"/{service}/v2")


def packed(files: dict[str, str]) -> bytes:
    return compressed({name: text.encode() for name, text in files.items()})


def test_packs_that_did_not_change_are_not_read_again(tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"s{number}.zip").write_bytes(packed(member(f"s{number}")))
    first = read_tree(tmp_path)
    assert len(first.packs) == 200
    again = read_tree(tmp_path, first)
    assert all(again.packs[name] is pack for name, pack in first.packs.items())
    assert all(again.files[name] is data for name, data in first.files.items())


def test_all_packs_together_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small zips of much; whoever is there has room, and goes on to have it whatever comes."""
    files = {name: member(name) | {f"policies/{name}/data.json": '{"a": "' + "x" * 50_000 + '"}'} for name in "abc"}
    size = sum(map(len, files["a"].values()))
    monkeypatch.setattr(packs, "MAX_ALL", 2 * size + size // 2)
    for name in "bc":
        (tmp_path / f"{name}.zip").write_bytes(packed(files[name]))
    project = Project(tmp_path)
    good = project.compile()
    (tmp_path / "a.zip").write_bytes(packed(files["a"]))
    now = project.compile()
    assert [(d.code, str(d.span)) for d in now.diagnostics if d.is_error] == [("pack-unreadable", "a.zip")]
    assert "with those of the packs before it" in next(d.message for d in now.diagnostics if d.is_error)
    assert now.digests == good.digests
    (tmp_path / "b.zip").unlink()
    assert project.compile().digests.keys() == {"a/v1", "c/v1"}
    assert project.compile().refused == frozenset()
