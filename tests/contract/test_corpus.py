"""Real contracts compile, or are refused for a reason that stands here."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from xds.contract import Contract, compile_contract
from xds.diagnostics import has_errors

CORPUS = Path(__file__).parents[2] / ".." / "shared" / "corpus"
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real contracts is not beside the clone")


def compiled(files: dict[str, bytes], root: str) -> Contract:
    files = {f"contracts/real/v1/{name}": data for name, data in files.items()}
    started = time.perf_counter()
    contract = compile_contract(files, f"contracts/real/v1/{root}", service="real", version="v1")
    print(
        f"{root}: {len(contract.operations)} operations, {len(contract.files)} files, {time.perf_counter() - started:.2f} s"
    )
    return contract


def errors(contract: Contract) -> dict[str, int]:
    codes = [d.code for d in contract.diagnostics if d.is_error]
    return {code: codes.count(code) for code in sorted(set(codes))}


def test_box_has_paths_that_differ_in_their_fragments_only() -> None:
    contract = compiled({"box.json": (CORPUS / "box.json").read_bytes()}, "box.json")
    assert errors(contract) == {"path-syntax": 19}
    places = [d.span.pointer for d in contract.diagnostics if d.is_error and d.span is not None]
    assert all("#" in pointer for pointer in places)


def test_box_without_them_compiles() -> None:
    """The overlay: every path with a `#` is removed, since no request has a fragment."""
    document = json.loads((CORPUS / "box.json").read_bytes())
    document["paths"] = {path: item for path, item in document["paths"].items() if "#" not in path}
    contract = compiled({"box.json": json.dumps(document).encode()}, "box.json")
    assert errors(contract) == {}
    assert len(contract.operations) == sum(
        method in item
        for item in document["paths"].values()
        for method in ("get", "put", "post", "delete", "options", "patch")
    )


def test_digitalocean_compiles() -> None:
    folder = CORPUS / "digitalocean" / "specification"
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.y*ml")}
    contract = compiled(files, "DigitalOcean-public.v2.yaml")
    assert errors(contract) == {}
    assert len(contract.operations) > 600
    assert sum(o.body is not None for o in contract.operations) > 200


REFUSED = {
    # example: codes of its errors
    "v2.0": {"openapi-version": 1},
}


def examples() -> list[Path]:
    folder = CORPUS / "oai" / "examples"
    wanted = (p for p in sorted(folder.rglob("*")) if p.suffix in (".json", ".yaml"))
    parts = ("NewPet", "Pet", "parameters", "Error")  # of a document that is in several files
    return [p for p in wanted if p.stem not in parts]


@pytest.mark.parametrize("path", examples(), ids=lambda p: p.relative_to(CORPUS / "oai" / "examples").as_posix())
def test_examples_of_the_openapi_initiative(path: Path) -> None:
    folder = CORPUS / "oai" / "examples"
    name = path.relative_to(folder).with_suffix("").as_posix()
    contract = compiled({path.name: path.read_bytes()}, path.name)
    assert errors(contract) == REFUSED.get(name, REFUSED["v2.0"] if name.startswith("v2.0") else {})
    assert has_errors(contract.diagnostics) or contract.operations or "webhook" in name
