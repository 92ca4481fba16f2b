"""Folder -> Tree: the bytes of a project, links followed only to what is inside their root."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from xds.diagnostics import Diagnostic, Span

from .limits import MAX_BYTES

_ROOTS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    # folder, endings that are read, exact names that are read
    ("contracts", (".yaml", ".yml", ".json"), ()),
    ("policies", (".rego",), ("data.json", "data.yaml")),
)
_SETTINGS = "sidegate.yaml"
_MAX_FILES = 50_000

_Stamp = tuple[int, int, int, int, int]
"""Modification and change time, size, inode, device: `cp -p` and `rsync -t` set the first, nobody sets the second."""

_SETTLED_NS = 2_000_000_000
"""Clocks of file systems tick in steps: a file that was read so soon after a change may have changed again unseen."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A project's files as bytes, by path relative to its folder (forward slashes); what could not be read is a problem.

    `stamps` are of the files that can be told from what they were without reading them again. `env` is the environment
    whose layer of settings counts.
    """

    files: Mapping[str, bytes]
    problems: tuple[Diagnostic, ...] = ()
    stamps: Mapping[str, _Stamp] = field(default_factory=dict, repr=False, compare=False)
    env: str | None = None


def read_tree(root: Path, previous: Tree | None = None, extra: Iterable[str] = (), env: str | None = None) -> Tree:
    """Reads `contracts/`, `policies/`, `sidegate.yaml`, the layer of `env` over it, and the `extra` relative files.

    `previous` lends its bytes for files whose stamps are the same; files that were read again and say the same are the same
    objects. Codes: `file-unreadable`, `path-escapes`, `document-budget`. A folder that is not there is empty; one that
    cannot be listed is a problem.
    """
    reading = _Reading(root, previous or Tree({}))
    for folder, endings, names in _ROOTS:
        reading.folder(folder, endings, names)
    settings = (_SETTINGS,) if env is None else (_SETTINGS, f"sidegate.{env}.yaml")
    for name in (*settings, *extra):
        if name not in reading.files:
            reading.single(name, optional=name in settings)
    problems = tuple(sorted(reading.problems, key=lambda d: (str(d.span), d.code)))
    return Tree(dict(sorted(reading.files.items())), problems, reading.stamps, env)


class _Reading:
    """One walk over a project's folder."""

    def __init__(self, root: Path, previous: Tree) -> None:
        self.root, self.previous = root, previous
        self.files: dict[str, bytes] = {}
        self.stamps: dict[str, _Stamp] = {}
        self.problems: list[Diagnostic] = []

    def problem(self, code: str, file: str, message: str, help: str | None = None) -> None:
        self.problems.append(Diagnostic(code, message, Span(file), help))

    def folder(self, name: str, endings: tuple[str, ...], names: tuple[str, ...]) -> None:
        top = self.root / name
        try:
            real = top.resolve(strict=True)
        except FileNotFoundError:
            if top.is_symlink():
                self.problem("file-unreadable", name, "the link leads to nothing")
            return
        except (OSError, RuntimeError) as e:
            self.problem("file-unreadable", name, _reason(e))
            return

        def take(relative: str, entry: os.DirEntry[str]) -> None:
            if entry.name.endswith(endings) or entry.name in names:
                self._file(relative, entry, real)

        self._walk(str(top), name, str(real), real, frozenset(), take)

    def _walk(
        self,
        folder: str,
        name: str,
        real: str,
        root: Path,
        above: frozenset[str],
        take: Callable[[str, os.DirEntry[str]], None],
    ) -> None:
        if real in above:  # a link to a folder above itself: everything in it has been read
            return
        try:
            entries = sorted(os.scandir(folder), key=lambda e: e.name)
        except OSError as e:
            self.problem("file-unreadable", name, _reason(e))
            return
        for entry in entries:
            # Kubernetes mounts a volume as links to `..data/name`, with `..data` a link to `..2026_...`: the names are
            # read through the links, the versions beside them are not contracts of their own.
            if entry.name.startswith("."):
                continue
            relative = f"{name}/{entry.name}"
            try:
                is_folder, is_link = entry.is_dir(), entry.is_symlink()
            except OSError as e:
                self.problem("file-unreadable", relative, _reason(e))
                continue
            if not is_folder:
                take(relative, entry)
            elif not is_link or self._inside(relative, Path(entry.path), root):
                there = os.path.realpath(entry.path) if is_link else f"{real}/{entry.name}"
                self._walk(entry.path, relative, there, root, above | {real}, take)

    def _inside(self, relative: str, path: Path, root: Path) -> bool:
        try:
            inside = path.resolve(strict=True).is_relative_to(root)
        except (OSError, RuntimeError) as e:
            self.problem("file-unreadable", relative, _reason(e))
            return False
        if not inside:
            folder = relative.split("/")[0]
            self.problem(
                "path-escapes", relative, f"the link leads outside {folder}/", f"put the file itself into {folder}/"
            )
        return inside

    def _file(self, relative: str, entry: os.DirEntry[str], root: Path) -> None:
        if len(self.files) >= _MAX_FILES:
            if len(self.files) == _MAX_FILES:
                self.problem("document-budget", relative, f"the project holds more than {_MAX_FILES:,} files")
            return
        if entry.is_symlink():
            if self._inside(relative, Path(entry.path), root):
                self._read(relative, entry.path)
        elif not self._known(relative, entry):
            self._read(relative, entry.path)

    def _known(self, relative: str, entry: os.DirEntry[str]) -> bool:
        """Whether a file is as it was, so that it need not even be opened."""
        stamp = self.previous.stamps.get(relative)
        if stamp is None:
            return False
        try:
            if _stamp(entry.stat(follow_symlinks=False)) != stamp:
                return False
        except OSError:
            return False  # opening it says why
        self.files[relative], self.stamps[relative] = self.previous.files[relative], stamp
        return True

    def single(self, relative: str, *, optional: bool) -> None:
        """One file named by the settings, which may lie anywhere inside the project."""
        path = self.root / relative
        if optional and not path.is_symlink() and not path.exists():
            return
        try:
            real, root = path.resolve(strict=True), self.root.resolve(strict=True)
        except (OSError, RuntimeError, ValueError) as e:
            self.problem("file-unreadable", relative, _reason(e))
            return
        if real.is_relative_to(root):
            self._read(relative, path)
        else:
            self.problem("path-escapes", relative, "the file lies outside the project's folder")

    def _read(self, relative: str, path: str | Path) -> None:
        now = time.time_ns()
        try:
            # The file is opened once and judged by its descriptor, so that nothing can be put in its place in between;
            # without O_NONBLOCK a named pipe would hold the reader for ever.
            descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
            with open(descriptor, "rb") as stream:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):
                    self.problem("file-unreadable", relative, "not a regular file")
                    return
                if status.st_size > MAX_BYTES:
                    message = f"the file is larger than {MAX_BYTES // 2**20} MiB"
                    self.problem("document-budget", relative, message)
                    return
                stamp, before = _stamp(status), self.previous.files.get(relative)
                if before is None or self.previous.stamps.get(relative) != stamp:
                    data = stream.read(MAX_BYTES + 1)
                    before = before if before == data else data
                self.files[relative] = before
                if max(status.st_mtime_ns, status.st_ctime_ns) < now - _SETTLED_NS:
                    self.stamps[relative] = stamp
        except (OSError, ValueError) as e:
            self.problem("file-unreadable", relative, _reason(e))


def _stamp(status: os.stat_result) -> _Stamp:
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev


def _reason(e: BaseException) -> str:
    text = getattr(e, "strerror", None) or str(e) or type(e).__name__
    return text[:1].lower() + text[1:]
