"""An example's export -> its import, and the project that it is once what no export holds is filled in."""

from __future__ import annotations

from pathlib import Path

from xds.importing import Imported, Sources, import_aws
from xds.source import Document, load

FOLDER = Path(__file__).parent
CASES = sorted(p.name for p in FOLDER.iterdir() if p.is_dir() and list(p.glob("export.*")))


def document(path: Path) -> Document:
    found, problems = load(path.name, path.read_bytes())
    assert found is not None, problems
    return found


def optional(path: Path) -> Document | None:
    return document(path) if path.exists() else None


def sources(case: str) -> Sources:
    """The sources of an example; `app` is the app client that its user pool has."""
    folder = FOLDER / case
    (export,) = folder.glob("export.*")
    stages, plans = optional(folder / "stages.json"), optional(folder / "usage-plans.json")
    return Sources(document(export), stages, plans, audiences=("app",))


def imported(case: str) -> Imported:
    return import_aws(sources(case))


def texts(case: str) -> dict[str, bytes]:
    """The files that were read, by the names that notes have for them."""
    return {path.name: path.read_bytes() for path in (FOLDER / case).iterdir() if path.is_file()}


KEYS = "keys:\n- consumer: mobile\n  sha256: '{}'\n"


def filled(case: str, sha256: str = "0" * 64) -> dict[str, bytes]:
    """The imported files, with a key in each file of keys that they name."""
    import yaml

    files = dict(imported(case).files)
    security = yaml.safe_load(files["sidegate.yaml"]).get("security", {})
    named = [scheme["keys"]["file"] for scheme in security.values() if "keys" in scheme]
    return {**files, **{name: KEYS.format(sha256).encode() for name in named}}
