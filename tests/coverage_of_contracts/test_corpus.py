"""Real contracts: every example is found and judged, every case can be written and judged, the page takes them all."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_sidegate.cases import cases
from pytest_sidegate.coverage.data import Data
from pytest_sidegate.coverage.page import page
from pytest_sidegate.coverage.points import Kind, points
from pytest_sidegate.coverage.report import report
from sidecar.message import Request
from sidecar.validate import Validators
from xds.contract import compile_contract
from xds.contract.shown import shown
from xds.model import Place, Upstream, Version

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
FILE = "contracts/box/v1.json"


@pytest.mark.slow
@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real contracts is not beside the repository")
def test_box() -> None:
    files = {FILE: (CORPUS / "box.json").read_bytes()}
    contract = compile_contract(files, FILE, service="box", version="v1")
    upstream = Upstream("http", "127.0.0.1", 9)
    version = Version("box", "v1", "", upstream, contract.operations, contract.schemas, (FILE,), Place(FILE))
    known = shown(files, FILE)
    assert {operation.place for operation in version.operations} <= known.keys()
    made = list(cases(version, known))
    assert len({case.operation.id for case in made}) > 200, "most of its operations show what they take"
    validators = Validators(version.schemas, version.operations)
    broken = 0
    for case in made:
        path, mark, query = case.request.path.partition("?")
        request = Request(case.request.method, path, query if mark else None, case.request.headers, case.request.body)
        broken += bool(validators.judge(case.operation.id, request).violations)
    assert broken <= 1, "a request out of examples keeps the contract, but for an array of objects in a query"
    every = points(version, known)
    found = report(every, {}, Data.of([point.key for point in every[::2]], "test"), files)
    assert found.total.seen == (len(every) + 1) // 2
    assert len({point.key for point in every}) == len(every)
    assert found.count(Kind.OPERATION).all == len(version.operations)
    assert page(found).count("<tr id=") == len(files[FILE].decode().removesuffix("\n").split("\n"))
