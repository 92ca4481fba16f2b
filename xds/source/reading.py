"""One walk over a project's folder: links followed only to what is inside, Kubernetes' mounts seen whole."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from xds.diagnostics import Diagnostic, Span

from .limits import MAX_BYTES

MAX_PROJECT_FILES = 50_000

Stamp = tuple[int, int, int, int, int]
"""Modification and change time, size, inode, device: `cp -p` and `rsync -t` set the first, nobody sets the second."""

_SETTLED_NS = 2_000_000_000
"""Clocks of file systems tick in steps: a file that was read so soon after a change may have changed again unseen."""

_CURRENT = "..data"
"""In a volume that Kubernetes mounts, the link to the folder that holds what counts now; it is exchanged atomically."""


class Reading:
    """One walk. `before` and `stamps_before` lend the bytes of files that are as they were."""

    def __init__(self, root: Path, before: Mapping[str, bytes], stamps_before: Mapping[str, Stamp]) -> None:
        self.root, self.before, self.stamps_before = root, before, stamps_before
        self.files: dict[str, bytes] = {}
        self.stamps: dict[str, Stamp] = {}
        self.problems: list[Diagnostic] = []
        self._mounts: dict[str, str | None] = {}

    def problem(self, code: str, file: str, message: str, help: str | None = None) -> None:
        self.problems.append(Diagnostic(code, message, Span(file), help))

    def moved(self) -> bool:
        """Whether a mounted volume was exchanged since it was first looked at: what was read may be half of each."""
        return any(_target(folder) != target for folder, target in self._mounts.items())

    def _mounted(self, folder: str) -> str | None:
        """The folder that holds a mounted volume's files now, the same one for the whole walk. None: no such volume."""
        if folder not in self._mounts:
            self._mounts[folder] = _target(folder)
        target = self._mounts[folder]
        return f"{folder}/{target}" if target else None

    def _path(self, relative: str) -> Path:
        """Where a file or folder of the root lies."""
        mounted = self._mounted(str(self.root))
        inside = Path(mounted, relative) if mounted else None
        return inside if inside and (inside.exists() or inside.is_symlink()) else self.root / relative

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        """What is in a folder: of a mounted volume the files of now, and what is not a link to one."""
        if (mounted := self._mounted(folder)) is None:
            return sorted(os.scandir(folder), key=lambda e: e.name)
        found = {entry.name: entry for entry in os.scandir(mounted)}
        for entry in os.scandir(folder):
            if entry.name not in found and not _leads_into_mount(entry):
                found[entry.name] = entry
        return [found[name] for name in sorted(found)]

    def folder(self, name: str, endings: tuple[str, ...], names: tuple[str, ...]) -> None:
        """Everything below a folder of the root whose name ends so, or is one of `names`."""
        top = self._path(name)
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

    def beside(self, ending: str) -> None:
        """The files of the root itself whose names end so. A root that is not there has none."""
        try:
            entries = self._entries(str(self.root))
            real = self.root.resolve(strict=True)
        except FileNotFoundError:
            return
        except (OSError, RuntimeError) as e:
            self.problem("file-unreadable", ".", _reason(e))
            return
        for entry in entries:
            if entry.name.endswith(ending) and not entry.name.startswith("."):
                self._file(entry.name, entry, real)

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
            entries = self._entries(folder)
        except OSError as e:
            self.problem("file-unreadable", name, _reason(e))
            return
        for entry in entries:
            # The versions of a mounted volume lie beside `..data`; they are not contracts of their own.
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
        if len(self.files) >= MAX_PROJECT_FILES:
            if len(self.files) == MAX_PROJECT_FILES:
                self.problem("document-budget", relative, f"the project holds more than {MAX_PROJECT_FILES:,} files")
            return
        if entry.is_symlink():
            if self._inside(relative, Path(entry.path), root):
                self._read(relative, entry.path)
        elif not self._known(relative, entry):
            self._read(relative, entry.path)

    def _known(self, relative: str, entry: os.DirEntry[str]) -> bool:
        """Whether a file is as it was, so that it need not even be opened."""
        stamp = self.stamps_before.get(relative)
        if stamp is None:
            return False
        try:
            if _stamp(entry.stat(follow_symlinks=False)) != stamp:
                return False
        except OSError:
            return False  # opening it says why
        self.files[relative], self.stamps[relative] = self.before[relative], stamp
        return True

    def single(self, relative: str, *, optional: bool, name: str | None = None) -> None:
        """One file named by the settings, which may lie anywhere inside the project; kept as `name`."""
        path = self._path(relative)
        if optional and not path.is_symlink() and not path.exists():
            return
        try:
            real, root = path.resolve(strict=True), self.root.resolve(strict=True)
        except (OSError, RuntimeError, ValueError) as e:
            self.problem("file-unreadable", relative, _reason(e))
            return
        if real.is_relative_to(root):
            self._read(name or relative, path)
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
                stamp, before = _stamp(status), self.before.get(relative)
                if before is None or self.stamps_before.get(relative) != stamp:
                    data = stream.read(MAX_BYTES + 1)
                    before = before if before == data else data
                self.files[relative] = before
                if max(status.st_mtime_ns, status.st_ctime_ns) < now - _SETTLED_NS:
                    self.stamps[relative] = stamp
        except (OSError, ValueError) as e:
            self.problem("file-unreadable", relative, _reason(e))


def _target(folder: str) -> str | None:
    """What `..data` of a folder leads to, if that is a folder beside it."""
    with contextlib.suppress(OSError):
        target = os.readlink(f"{folder}/{_CURRENT}")
        return target if "/" not in target and target not in ("", ".", "..") else None
    return None


def _leads_into_mount(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a link to what the volume holds or held: those to what it no longer holds go a moment later."""
    try:
        return os.readlink(entry.path).startswith(f"{_CURRENT}/")
    except FileNotFoundError:
        return True
    except OSError:  # no link
        return False


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev


def _reason(e: BaseException) -> str:
    text = getattr(e, "strerror", None) or str(e) or type(e).__name__
    return text[:1].lower() + text[1:]
