"""a file, a folder or a git revision -> Revision: the contracts there, by service and version."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from xds.compile import lay_out
from xds.diagnostics import Diagnostic
from xds.failure import CannotRun, Misused, Nothing
from xds.findings import project_of
from xds.project.single import read_single
from xds.revisions import git
from xds.source import read_tree

_CONTRACTS = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Revision:
    """Contracts as they stood somewhere: `roots` are their documents among `files` by service and version; `shown` gives the
    name by which the user knows a file; `problems` are files that could not be read."""

    files: Mapping[str, bytes]
    roots: Mapping[tuple[str, str], str]
    shown: Callable[[str], str]
    problems: tuple[Diagnostic, ...] = ()


def read_revision(name: str, beside: str = ".") -> Revision:
    """What is called `name`: a path, `REVISION:PATH`, or a git revision alone, which means the path `beside` there, or the
    folder at hand.

    Raises CannotRun if there is no such thing, Misused if it holds no contracts.
    """
    path = Path(name)
    if path.exists():
        return _on_disk(path, _relative)
    revision, colon, inside = name.partition(":")
    there = Path(beside) if not colon and Path(beside).exists() else Path.cwd()
    folder = there if there.is_dir() else there.parent
    repository = git.top(folder) if folder.is_dir() else None
    commit = git.commit(folder, revision) or git.tree(folder, revision) if repository is not None else None
    if repository is None or commit is None:
        raise CannotRun(f"there is no file, no folder and no git revision called {name}")
    where = _inside(repository, there, inside) if colon else _inside(repository, there, "")
    with _checked_out(repository, commit, where) as (root, target):
        if not target.exists():
            raise Nothing(f"{revision} holds no {where}")
        return _on_disk(target, lambda file: f"{revision}:{_below(root, file)}")


def merge_base(branch: str, beside: str) -> str | None:
    """The commit that the work at hand and a branch have in common, as it is called here; None if there is no such commit.

    Without a branch it is the one that changes are made against. Raises CannotRun for a branch that is not there.
    """
    there = Path(beside) if Path(beside).exists() else Path.cwd()
    folder = there if there.is_dir() else there.parent
    if git.top(folder) is None:
        raise CannotRun(f"{folder.absolute()} is in no git repository")
    if not branch and (branch := git.main_branch(folder) or "") == "":
        return None
    if git.commit(folder, branch) is None:
        raise CannotRun(
            f"there is no branch {branch} here: a clone must have its history (fetch-depth: 0, GIT_DEPTH: 0)"
        )
    found = git.merge_base(folder, branch, "HEAD") if git.commit(folder, "HEAD") else None
    return found[:12] if found else None


def _inside(repository: Path, there: Path, inside: str) -> PurePosixPath:
    """The path in the repository that is meant: as git has it, from its top, or with `./` from the folder at hand."""
    if inside and not inside.startswith(("./", "../")) and inside != ".":
        found = PurePosixPath(inside)
    else:
        base = (there / inside).resolve()
        if not base.is_relative_to(repository.resolve()):
            raise Misused(f"{base} is outside of the repository {repository}")
        found = PurePosixPath(base.relative_to(repository.resolve()).as_posix())
    if found.is_absolute() or ".." in found.parts:
        raise Misused(f"{found} is no path in the repository")
    return PurePosixPath() if str(found) == "." else found


@contextmanager
def _checked_out(repository: Path, commit: str, where: PurePosixPath) -> Iterator[tuple[Path, Path]]:
    """The scratch folder with all that belongs to a path: its project's contracts, or the folder that it is in."""
    parts = where.parts
    if "contracts" in parts:
        wanted = PurePosixPath(*parts[: parts.index("contracts") + 1])
    else:
        wanted = where.parent if where.suffix in _CONTRACTS else where
    with git.checked_out(repository, commit, wanted) as root:
        yield root, root / where


def _on_disk(path: Path, shown: Callable[[Path], str]) -> Revision:
    project = path if (path / "contracts").is_dir() else project_of(path)
    if project is not None:
        return _of_project(project, path, shown)
    if path.suffix not in _CONTRACTS or path.is_dir():
        raise Misused(
            f"{path} is no contract (.yaml, .yml, .json), and no folder of a project: contracts/ is not there"
        )
    single = read_single(path)
    sources = dict(single.sources)
    return Revision(
        single.files,
        {(single.service, single.version): single.root},
        lambda file: shown(sources[file]) if file in sources else file,
    )


def _of_project(root: Path, path: Path, shown: Callable[[Path], str]) -> Revision:
    """A project's contracts; of a path inside it those in it, or the one that it is."""
    tree = read_tree(root)
    layout, problems = lay_out(tree)
    inside = path.absolute().relative_to(root.absolute()).as_posix()
    roots = {
        (service, version): file
        for service, versions in layout.items()
        for version, file in versions.items()
        if inside in (".", file) or file.startswith(f"{inside}/")
    }
    if not roots:
        raise Misused(f"{path} holds no contract: contracts/<service>/<version>.yaml")
    files = {file: data for file, data in tree.files.items() if file.startswith("contracts/")}
    return Revision(files, roots, lambda file: shown(root / file), (*tree.problems, *problems))


def _relative(path: Path) -> str:
    try:
        return path.absolute().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.absolute().as_posix()


def _below(root: Path, path: Path) -> str:
    return path.absolute().relative_to(root).as_posix()
