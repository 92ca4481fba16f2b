"""`sidegate pack` and back: the same bytes every time, and a folder of packs is the project that was packed."""

from __future__ import annotations

from pathlib import Path

from tests.projects import pets, write
from xds.cli import main
from xds.compile import Compilation
from xds.project import Project


def packed(root: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    assert main(["pack", str(root), "--format", "zip", "--output", str(target)]) == 0
    return target


def unlike(compilation: Compilation) -> object:
    """All that decides, in a form that two compilations can be compared by."""
    return compilation.digests, {name: b.revision for name, b in compilation.bundles.items()}


def test_a_folder_with_the_pack_compiles_to_the_same_digests(tmp_path: Path) -> None:
    root = write(tmp_path / "pets", pets())
    packed(root, tmp_path / "sources" / "pets.zip")
    there, here = Project(root).compile(), Project(tmp_path / "sources").compile()
    assert there.digests
    assert unlike(here) == unlike(there)
    assert here.diagnostics == ()
    closed = Project(tmp_path / "sources", closed=True).compile()
    assert unlike(closed) == unlike(there)
