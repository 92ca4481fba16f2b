"""Real contracts -> a project folder, with what the overlay changes of them."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.tokens import Issuer

CORPUS = Path(__file__).parents[2] / ".." / "shared" / "corpus"
OVERLAYS: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "overlays.yaml").read_text())
SECRET = "the-real-thing"
"""The claim that the policies ask for."""

POLICY = """\
package {name}.authz

default allow := false

allow if input.sidegate.claims.pass == "{secret}"

reasons contains "the pass is missing" if not input.sidegate.claims.pass
"""


@dataclass(frozen=True)
class Real:
    """A contract of the corpus: the service it becomes, its version, where it lies, and the names of its schemes."""

    service: str
    version: str
    source: Path
    schemes: tuple[str, ...]

    @property
    def host(self) -> str:
        return f"{self.service}.test"

    @property
    def root(self) -> str:
        """Where the document is in the project."""
        folder = f"contracts/{self.service}/{self.version}"
        return f"{folder}.json" if self.source.suffix == ".json" else f"{folder}/openapi.yaml"


BOX = Real("box", "v2", CORPUS / "box.json", ("OAuth2Security",))
OCEAN = Real(
    "digitalocean",
    "v2",
    CORPUS / "digitalocean" / "specification" / "DigitalOcean-public.v2.yaml",
    ("bearer_auth", "inference_bearer_auth"),
)
REAL = (BOX, OCEAN)


def write(folder: Path, upstream: str, issuer: Issuer) -> Path:
    """A project of both, each on a host of its own, with a policy that asks for a claim."""
    for real in REAL:
        _contract(real, folder / real.root)
        policy = folder / "policies" / real.service / "authz.rego"
        policy.parent.mkdir(parents=True)
        policy.write_text(POLICY.format(name=real.service, secret=SECRET))
    (folder / "keys").mkdir()
    (folder / "keys" / "jwks.json").write_text(issuer.jwks())
    scheme = {"issuer": issuer.name, "audiences": ["ref"], "jwks": {"file": "keys/jwks.json"}}
    settings = {
        "services": {real.service: {"upstream": upstream, "hosts": [real.host]} for real in REAL},
        "security": {name: scheme for real in REAL for name in real.schemes},
    }
    (folder / "sidegate.yaml").write_text(yaml.safe_dump(settings))
    return folder


def _contract(real: Real, root: Path) -> None:
    root.parent.mkdir(parents=True)
    if real.source.suffix == ".json":
        root.write_text(json.dumps(overlaid(real.service, json.loads(real.source.read_text()))))
        return
    shutil.copytree(real.source.parent, root.parent, dirs_exist_ok=True)
    (root.parent / real.source.name).rename(root)


def overlaid(service: str, document: Any) -> Any:
    """The document without the paths that the overlay takes out of it."""
    out = [re.compile(each["remove_paths"]) for each in OVERLAYS[service]]
    paths = {path: item for path, item in document["paths"].items() if not any(e.search(path) for e in out)}
    return {**document, "paths": paths}
