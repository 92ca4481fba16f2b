"""paths -> Findings: what is wrong in projects, single contracts and single policies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from xds.compile import Compiler
from xds.contract import Cache, compile_contract
from xds.dev import parse_dev
from xds.diagnostics import Diagnostic, renamed
from xds.failure import CannotRun, Misused
from xds.project.offline import read_offline
from xds.project.single import read_single
from xds.settings import FILE
from xds.source import Tree

_CONTRACTS = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Findings:
    """Diagnostics with the files that their spans name, and how much was looked at."""

    diagnostics: tuple[Diagnostic, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    services: int = 0
    operations: int = 0


def findings(paths: Iterable[Path], env: str | None = None) -> Findings:
    """Everything wrong in the paths, each a project's folder or something in one, a contract or a policy.

    A path inside a project is judged as a part of it: only diagnostics that name it, or something in it, are kept. File
    names in the result are relative to the current folder. Raises CannotRun for a path that cannot be looked at.
    """
    parts = [_of(path, env) for path in paths]
    files = {name: data for part in parts for name, data in part.files.items()}
    diagnostics = tuple(dict.fromkeys(d for part in parts for d in part.diagnostics))
    return Findings(diagnostics, files, sum(p.services for p in parts), sum(p.operations for p in parts))


def _of(path: Path, env: str | None) -> Findings:
    if not path.exists():
        raise CannotRun(f"there is no {path}")
    project = project_of(path)
    if project is not None:
        return _of_project(project, path, env)
    if path.is_dir():
        return _of_project(path, path, env)
    if path.suffix == ".rego":
        return _of_policy(path)
    if path.suffix in _CONTRACTS:
        return _of_contract(path)
    raise Misused(f"{path} is no contract (.yaml, .yml, .json), no policy (.rego) and no folder")


def project_of(path: Path) -> Path | None:
    """The project that a path is in: the nearest folder above with sidegate.yaml, or whose contracts/ or policies/ it is in."""
    absolute = path.absolute()
    for folder in (absolute, *absolute.parents):
        inside = absolute.relative_to(folder).parts
        if (
            folder.is_dir()
            and (folder / FILE).is_file()
            and (not inside or inside[0] in ("contracts", "policies", FILE))
        ):
            return folder
        if inside and inside[0] in ("contracts", "policies") and (folder / "contracts").is_dir():
            return folder
    return None


def _of_project(root: Path, path: Path, env: str | None) -> Findings:
    tree = read_offline(root, env)
    compilation = Compiler().compile(tree)
    prefix = _shown(root)
    inside = path.absolute().relative_to(root.absolute()).as_posix() if path.absolute() != root.absolute() else ""
    said = (*compilation.diagnostics, *parse_dev(tree.files, tree.env)[1])
    kept = [d for d in said if not inside or _concerns(d, inside)]
    services = compilation.gateway.services
    operations = sum(len(v.operations) for s in services for v in s.versions)
    return Findings(*_renamed(kept, tree, lambda file: prefix + file), len(services), operations)


def _concerns(diagnostic: Diagnostic, inside: str) -> bool:
    spans = [diagnostic.span, *(span for span, _ in diagnostic.related)]
    return any(s and (s.file == inside or s.file.startswith(inside + "/")) for s in spans)


def _of_contract(path: Path) -> Findings:
    single = read_single(path)
    contract = compile_contract(
        single.files, single.root, service=single.service, version=single.version, cache=Cache()
    )
    renamed = _renamed(contract.diagnostics, Tree(single.files), lambda file: single.shown.get(file, file))
    return Findings(*renamed, 1, len(contract.operations))


def _of_policy(path: Path) -> Findings:
    from xds.policy.bundle import load_bundle

    try:
        tree = Tree({f"policies/policy/{path.name}": path.read_bytes()})
    except OSError as error:
        raise CannotRun(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    _, diagnostics = load_bundle("policy", tree.files)
    return Findings(*_renamed(diagnostics, tree, lambda _: path.as_posix()), 1, 0)


def _renamed(
    found: Iterable[Diagnostic], tree: Tree, name: Callable[[str], str]
) -> tuple[tuple[Diagnostic, ...], dict[str, bytes]]:
    return tuple(renamed(d, name) for d in found), {name(file): data for file, data in tree.texts.items()}


def _shown(root: Path) -> str:
    """What goes before a project's file names so that they are relative to the current folder."""
    try:
        relative = root.absolute().relative_to(Path.cwd()).as_posix()
    except ValueError:
        relative = root.absolute().as_posix()
    return "" if relative == "." else f"{relative}/"
