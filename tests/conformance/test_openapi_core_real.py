"""openapi-core as the independent judge of real contracts: it reads the documents themselves, not what they were lowered to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from sidecar.message import Request
from sidecar.validate import Validators
from tests.conformance.judges import Asked
from tests.generate import corpus
from tests.generate.corpus import BOX, OCEAN, Real
from tests.generate.examples import examples
from tests.generate.requests import Requests, Sent
from xds.contract import Contract, compile_contract
from xds.diagnostics import has_errors

pytestmark = [
    pytest.mark.skipif(not corpus.CORPUS.is_dir(), reason="the corpus of real contracts is not beside the clone"),
    pytest.mark.filterwarnings("ignore:Unsupported scheme type"),
]

HERE = Path(__file__).parent
LISTED = {
    entry["id"]: entry["ours"]
    for name in ("differences.yaml", "differences_real.yaml")
    for entry in yaml.safe_load((HERE / name).read_text())
}
OURS_BY_KIND = {
    # what the generator broke: the difference by which openapi-core does not mind
    "unknown-parameter": "undeclared",
    "unexpected-body": "no-body-expected",
    "duplicate-parameter": "repeated",
    "malformed-parameter": "escapes",
    "empty-parameter": "nothing",
    "missing-parameter": "defaults",
}
NOT_LOOKED_AT = ("unknown-parameter", "unexpected-body")
"""Rules of the gateway's own; the sample shows that openapi-core has no opinion, the sweep need not ask a thousand times."""
MISPLACED = (
    "loadBalancers_create",
    "loadBalancers_update",
    "loadBalancers_add_droplets",
    "loadBalancers_remove_droplets",
)
"""DigitalOcean's operations with a `$ref` for a map of properties."""
HOSTS = {
    BOX: ("api.box.com", "upload.box.com", "account.box.com", "dl.boxcloud.com"),
    OCEAN: ("api.digitalocean.com", "inference.do-ai.run"),
}


@dataclass(frozen=True)
class Verdict:
    """What one judge says; `reason` is a word of openapi-core's on a refusal."""

    passes: bool
    reason: str = ""


class Theirs:
    """openapi-core over a document of the corpus, as it lies there."""

    def __init__(self, real: Real) -> None:
        self._real = real
        self._core = self._open()

    def _open(self) -> Any:
        from openapi_core import Config, OpenAPI

        config = Config(spec_validator_cls=None)
        if self._real is OCEAN:
            return OpenAPI.from_file_path(str(OCEAN.source), config=config)
        return OpenAPI.from_dict(corpus.overlaid("box", json.loads(BOX.source.read_text())), config=config)

    def judge(self, sent: Sent) -> Verdict:
        """The verdict for the first of the contract's hosts that has the operation."""
        found = Verdict(False, "no host")
        for host in HOSTS[self._real]:
            found = self._judge(sent, host)
            if found.reason not in ("ServerNotFound", "PathNotFound", "OperationNotFound"):
                return found
        return found

    def _judge(self, sent: Sent, host: str) -> Verdict:
        try:
            self._core.validate_request(_asked(sent, host))
        except AttributeError:
            # A reader that has followed some references of several files loses its place in them; a new one does not.
            self._core = self._open()
            return self._verdict(sent, host)
        except Exception as error:  # noqa: BLE001 - whatever it raises is a refusal
            return _refusal(error)
        return Verdict(True)

    def _verdict(self, sent: Sent, host: str) -> Verdict:
        try:
            self._core.validate_request(_asked(sent, host))
        except Exception as error:  # noqa: BLE001 - the same
            return _refusal(error)
        return Verdict(True)


def _refusal(error: Exception) -> Verdict:
    unresolved = "could not be resolved" in str(error)
    return Verdict(False, "unresolved" if unresolved else type(error).__name__)


def _asked(sent: Sent, host: str) -> Asked:
    asked = Asked(_request(sent, ("authorization", "Bearer x")))
    asked.host_url = f"https://{host}"
    return asked


def _request(sent: Sent, *more: tuple[str, str]) -> Request:
    kind = (("content-type", sent.type),) if sent.type else ()
    return Request(sent.method, sent.path, sent.query, (*sent.headers, *kind, *more), sent.body)


def compiled(real: Real) -> Contract:
    """The contract as the gateway compiles it, with the overlay."""
    folder = f"contracts/{real.service}/{real.version}"
    if real is BOX:
        document = corpus.overlaid("box", json.loads(BOX.source.read_text()))
        files = {real.root: json.dumps(document).encode()}
    else:
        source = OCEAN.source.parent
        files = {f"{folder}/{p.relative_to(source).as_posix()}": p.read_bytes() for p in source.rglob("*.y*ml")}
        files[real.root] = files.pop(f"{folder}/{OCEAN.source.name}")
    contract = compile_contract(files, real.root, service=real.service, version=real.version)
    assert not has_errors(contract.diagnostics)
    return contract


def differences(real: Real, every: int, most: int, skip: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Where the two part on every so many operations: (listed id or "", what was asked)."""
    contract = compiled(real)
    ours, theirs = Validators(contract.schemas, contract.operations), Theirs(real)
    requests = Requests(contract.schemas)
    judged = agreed = 0
    for operation in contract.operations[::every]:
        cases = [("", requests.valid(operation))]
        cases += [(wrong.kind, wrong.request) for wrong in requests.wrong(operation, most) if wrong.kind not in skip]
        for kind, sent in cases:
            mine = not ours.judge(operation.id, _request(sent)).violations
            told = theirs.judge(sent)
            judged += 1
            agreed += mine == told.passes
            if mine != told.passes:
                name = _why_broken(kind, sent) if kind else _why_valid(requests, sent, told)
                listed = name if LISTED.get(name) == ("pass" if mine else "refuse") else ""
                yield (
                    listed,
                    f"{operation.id}: {kind or 'valid'}: {sent.method} {sent.target} {sent.body[:200]!r}: {told}",
                )
    print(f"{real.service}: {judged} requests, {agreed} verdicts agree")
    assert judged > 100


def _why_broken(kind: str, sent: Sent) -> str:
    """The difference by which openapi-core lets pass what the gateway refuses."""
    return OURS_BY_KIND.get(kind) or ("misplaced-references" if sent.operation.id in MISPLACED else "")


def _why_valid(requests: Requests, sent: Sent, told: Verdict) -> str:
    """The difference by which openapi-core refuses what the gateway lets pass."""
    schemas = [requests.library.schema(p.schema.uri) for p in sent.operation.parameters if p.schema]
    return next(
        name
        for name, applies in {
            "suffixes": bool(sent.type and sent.type.endswith("+json")) and told.reason == "InvalidRequestBody",
            "unions": told.reason == "InvalidParameter" and any("anyOf" in s or "oneOf" in s for s in schemas),
            "discriminator-names": told.reason == "unresolved",
            "servers": told.reason == "ServerNotFound" and sent.operation.id == "inference_upload_batch_file",
            "references-as-members": told.reason == "AttributeError" and sent.operation.id in MISPLACED,
            "undeclared-fields": sent.type == "application/x-www-form-urlencoded"
            and told.reason == "InvalidRequestBody",
            "": True,
        }.items()
        if applies
    )


@pytest.mark.parametrize(
    ("real", "every"), [pytest.param(BOX, 9, id="box"), pytest.param(OCEAN, 21, id="digitalocean")]
)
def test_a_sample_is_judged_alike(real: Real, every: int) -> None:
    assert [asked for name, asked in differences(real, every, most=8) if not name] == []


BROKEN_EXAMPLES = {
    # DigitalOcean's example that breaks the schema it stands beside: where, and with what
    "apps_create": "/spec/vpc not-allowed",  # `vpc` is readOnly
}


@pytest.mark.parametrize(
    ("real", "least"), [pytest.param(BOX, 2, id="box"), pytest.param(OCEAN, 90, id="digitalocean")]
)
def test_examples_of_the_documents_are_judged_alike(real: Real, least: int) -> None:
    contract = compiled(real)
    ours, theirs = Validators(contract.schemas, contract.operations), Theirs(real)
    requests, count = Requests(contract.schemas), 0
    told, parted = {}, []
    for operation in contract.operations:
        for kind, value in examples(real, operation):
            sent = replace(requests.valid(operation), type=kind, body=json.dumps(value).encode())
            violations = ours.judge(operation.id, _request(sent)).violations
            count += 1
            if violations:
                told[operation.id] = f"{violations[0].pointer} {violations[0].code}"
            if theirs.judge(sent).passes == bool(violations):
                parted.append(operation.id)
    assert told == {name: why for name, why in BROKEN_EXAMPLES.items() if real is OCEAN}
    assert parted == []
    assert count >= least


@pytest.mark.slow
def test_every_operation_is_judged_alike_but_for_what_is_listed() -> None:
    found = [*differences(BOX, 1, 99, NOT_LOOKED_AT), *differences(OCEAN, 1, 99, NOT_LOOKED_AT)]
    assert [asked for name, asked in found if not name] == []
    listed = {entry["id"] for entry in yaml.safe_load((HERE / "differences_real.yaml").read_text())}
    assert listed <= {name for name, _ in found}
