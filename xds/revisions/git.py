"""a git revision -> the files of a folder as they were, in a scratch folder; the work tree is not touched."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from xds.failure import CannotRun, Misused, Nothing
from xds.source.limits import MAX_BYTES

_READ = (".yaml", ".yml", ".json")
_MOST = 50_000
_BRANCHES = ("origin/HEAD", "origin/main", "origin/master", "main", "master")
_OF_A_HOOK = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
"""What git tells a hook, and what would be true of the folder at hand only."""
_LINK, _FILE = "120000", ("100644", "100755")


def top(folder: Path) -> Path | None:
    """The repository's folder that a folder is in, or None if it is in none."""
    found = _git(folder, "rev-parse", "--show-toplevel", check=False)
    return Path(found.decode().rstrip("\n")) if found is not None else None


def commit(folder: Path, revision: str) -> str | None:
    """The full name of the commit that a revision is (gitrevisions(7)), or None if it is none."""
    if not revision or revision.startswith("-") or any(c < " " for c in revision):
        return None
    found = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", check=False)
    return found.decode().strip() if found else None


def tree(folder: Path, name: str) -> str | None:
    """The full name of a tree that is called so by its object's name, or None if there is none."""
    if not re.fullmatch("[0-9a-f]{4,64}", name):
        return None
    found = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{tree}}", check=False)
    return found.decode().strip() if found else None


def merge_base(folder: Path, one: str, other: str) -> str | None:
    """The commit that two revisions have in common, or None."""
    found = _git(folder, "merge-base", one, other, check=False)
    return found.decode().strip() if found else None


def hooks(folder: Path) -> Path:
    """The folder that a repository's hooks are in (githooks(5)); raises CannotRun outside of one."""
    found = _git(folder, "rev-parse", "--git-path", "hooks") or b""
    return folder / os.fsdecode(found).rstrip("\n")


def main_branch(folder: Path) -> str | None:
    """What changes are made against: the remote's own choice, or what that is usually called; None if there is none."""
    return next((name for name in _BRANCHES if commit(folder, name) is not None), None)


@contextmanager
def checked_out(repository: Path, commit: str, inside: PurePosixPath) -> Iterator[Path]:
    """A scratch folder with the documents of `inside` (relative to the repository) as a commit has them, at the same place.

    Raises CannotRun if git cannot be asked, or the commit holds nothing there.
    """
    entries = _entries(repository, commit, inside)
    with TemporaryDirectory(prefix="sidegate-diff-") as scratch:
        root = Path(scratch).resolve()
        contents = _contents(repository, [name for _, name, _ in entries])
        for (mode, _, path), data in zip(entries, contents, strict=True):
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if mode == _LINK:
                _link(target, data, root)
            else:
                target.write_bytes(data)
        yield root


def _link(target: Path, data: bytes, root: Path) -> None:
    """A link as it was, as long as it stays among what was checked out; one that leads elsewhere leads to nothing."""
    text = os.fsdecode(data)
    inside = not os.path.isabs(text) and Path(os.path.normpath(target.parent / text)).is_relative_to(root)
    target.symlink_to(text if inside else "leads-outside-of-the-repository")


def _entries(repository: Path, commit: str, inside: PurePosixPath) -> list[tuple[str, str, str]]:
    """Mode, object and path of what a commit has in a folder: documents and links, nothing else is ever read."""
    where = ("--", str(inside)) if inside.parts else ()
    listed = _git(repository, "ls-tree", "-r", "-l", "-z", "--full-tree", commit, *where) or b""
    found = []
    for line in listed.split(b"\0"):
        if not line:
            continue
        about, _, path = line.partition(b"\t")
        mode, _, name, size = about.decode().split()
        named = os.fsdecode(path)
        if mode == _LINK or (mode in _FILE and named.endswith(_READ)):
            if mode != _LINK and int(size) > MAX_BYTES:
                raise CannotRun(f"{named} is larger than {MAX_BYTES // 2**20} MiB in {commit[:12]}")
            found.append((mode, name, named))
    if not found:
        raise Nothing(f"{commit[:12]} holds no document in {inside}")
    if len(found) > _MOST:
        raise CannotRun(f"{inside} holds more than {_MOST:,} documents in {commit[:12]}")
    return found


def _contents(repository: Path, names: list[str]) -> Iterator[bytes]:
    """The objects of the given names, in their order."""
    answer = _git(repository, "cat-file", "--batch", given="\n".join(names).encode()) or b""
    at = 0
    for name in names:
        end = answer.index(b"\n", at)
        about = answer[at:end].split()
        if len(about) != 3:
            raise CannotRun(f"git has no object {name}: the clone is shallow or partial")
        size = int(about[2])
        yield answer[end + 1 : end + 1 + size]
        at = end + 2 + size


def _git(folder: Path, *words: str, check: bool = True, given: bytes | None = None) -> bytes | None:
    """What git says; None where it fails and nobody minds."""
    command = ("git", "-C", str(folder), "--no-optional-locks", *words)
    around = {name: value for name, value in os.environ.items() if name not in _OF_A_HOOK}
    try:
        done = subprocess.run(command, capture_output=True, input=given or b"", env=around, check=False)
    except FileNotFoundError as error:
        raise Misused("there is no git here, so no revision can be read") from error
    if done.returncode:
        if check:
            said = done.stderr.decode(errors="replace").strip()
            raise CannotRun(f"git {words[0]} failed: {said or done.returncode}")
        return None
    return done.stdout
