"""What a shared control plane hands to the companion of an edge compiles to what it serves, and to nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from sidecar.central import Central
from sidecar.received import Received
from tests.control.test_tls_settings import files as tls_files
from tests.packs.members import member
from tests.packs.test_claims import service
from tests.packs.test_union import index, put
from tests.projects import write
from xds.handout import handout
from xds.project.project import Project
from xds.project.sources import Kept

BROKEN = "openapi: 3.1.0\npaths: 1\n"
FALLBACK = "packs: {namespaces: {shop: ['*'], zoo: ['*']}}\n"


class Both:
    """A control plane's project, and the companion of an edge that is given its sources as they travel."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.packs = folder, folder / "packs"
        write(folder / "own", {"sidegate.yaml": FALLBACK})
        self.packs.mkdir()
        self.plane = Project(folder / "own", folder / "state", packs=[self.packs])
        self.edge = self.fresh("edge")

    def fresh(self, name: str) -> Received:
        return Received(Central.at("127.0.0.1:1", None, name), self.folder / name)

    def again(self) -> None:
        """As after a restart of the control plane."""
        self.plane = Project(self.folder / "own", self.folder / "state", packs=[self.packs])

    def agree(self) -> Mapping[str, str]:
        """Compile, and look whether the edge has what is served: both one that was there and a new one."""
        served = self.plane.compile()
        document = json.loads(handout(self.plane, "").document)
        new = self.fresh(f"new{len([*self.folder.iterdir()])}")
        for companion in (self.edge, new):
            companion._take(document)
            compiled = companion.compile()
            assert compiled.digests == served.digests
            revisions = ({s: b.revision for s, b in c.bundles.items()} for c in (compiled, served))
            assert next(revisions) == next(revisions)
        return served.digests


@pytest.fixture
def both(tmp_path: Path) -> Both:
    return Both(tmp_path)


def test_two_packs_of_one_namespace_overlap(both: Both) -> None:
    put(both.packs, a=service("cats", "/x", "/pets/{id}"), b=service("dogs", "/x", "/pets/vip"))
    index(both.packs, a="shop", b="shop")
    assert both.agree().keys() == {"cats/v1", "dogs/v1"}


def test_the_older_of_two_namespaces_is_served(both: Both) -> None:
    put(both.packs, bb=service("bb", "/x", "/pets/{id}"), aa=service("aa", "/x", "/pets/vip"))
    index(both.packs, bb="shop", aa="zoo")
    assert both.agree().keys() == {"bb/v1"}
    assert "contracts/aa/v1.yaml" not in both.plane.sources("").files, "what is refused is nobody's to compile"


def _contract(both: Both) -> None:
    put(both.packs, cats=member("cats") | {"contracts/cats/v1.yaml": BROKEN})


def _pack(both: Both) -> None:
    (both.packs / "cats.zip").write_bytes(b"PK no zip")


def _settings(both: Both) -> None:
    write(both.folder / "own", {"sidegate.yaml": "services: ["})


def _breaking(both: Both) -> None:
    files = member("cats")
    narrow = files["contracts/cats/v1.yaml"].replace("maximum: 100", "maximum: 50")
    put(both.packs, cats=files | {"contracts/cats/v1.yaml": narrow})


@pytest.mark.parametrize("spoil", [_contract, _pack, _settings, _breaking])
def test_a_service_that_is_served_as_it_was(both: Both, spoil: Callable[[Both], None]) -> None:
    put(both.packs, cats=member("cats"), dogs=member("dogs"))
    index(both.packs, cats="shop", dogs="zoo")
    good = both.agree()
    spoil(both)
    assert both.agree() == good
    assert "cats" in both.plane._last.refused  # type: ignore[union-attr]
    both.again()
    assert both.agree() == good
    put(both.packs, cats=member("cats"), birds=member("birds"))
    index(both.packs, cats="shop", dogs="zoo", birds="zoo")
    write(both.folder / "own", {"sidegate.yaml": FALLBACK})
    assert both.agree().keys() == {*good, "birds/v1"}


def test_key_material_stays_also_of_what_is_served_as_it_was(tmp_path: Path) -> None:
    root = write(tmp_path / "own", tls_files())
    plane = Project(root, tmp_path / "state")
    assert not plane.compile().refused
    (root / "contracts/pets/v1.yaml").write_text(BROKEN)
    for given in (handout(plane, "").given, handout(plane, "pets").given):
        assert given.files["keys.json"]
        assert "a.key" not in given.files
    plane.compile()
    earlier = handout(plane, "").given.earlier["pets"].files
    assert earlier["keys.json"]
    assert "a.key" not in earlier
    assert "a.key" in Kept.read((tmp_path / "state/last-good/pets.zip").read_bytes()).files


def test_what_is_large_travels_compressed(both: Both) -> None:
    put(both.packs, cats=member("cats") | {"policies/cats/data.json": json.dumps({"much": " " * (12 << 20)})})
    both.agree()
    assert len(handout(both.plane, "").document) < 1 << 20
