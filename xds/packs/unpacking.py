"""a zip that anybody may have written -> its files, or why it is refused (APPNOTE 6.3.10).

Read by hand and strictly: whatever two readers could understand differently (entries that overlap or stand twice, names
that differ between header and directory, sizes that are not those of the data) refuses the whole. Everything is bounded
before it is allocated, so that a small file cannot become a large one.
"""

from __future__ import annotations

import bz2
import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

MAX_PACK = 32 * 1024 * 1024
"""Bytes of a zip, and of one file in it."""
MAX_FILES = 10_000
MAX_TOTAL = 128 * 1024 * 1024
"""Bytes of all files of a zip together."""
MAX_ALL = 512 * 1024 * 1024
"""Bytes of all files of all packs of a project together."""

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_ENCRYPTED, _STORED, _DEFLATE, _BZIP2 = 0x2041, 0, 8, 12


@dataclass(slots=True)
class Unreadable(Exception):
    """Why a zip is refused; `file` is the entry at fault, or empty."""

    message: str
    file: str = ""


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    mode: int

    @property
    def is_folder(self) -> bool:
        return self.name.endswith("/")


def unpacked_strictly(data: bytes, room: int = MAX_ALL) -> dict[str, bytes]:
    """The regular files of a zip by name. Raises Unreadable, also if they are more than `room` bytes.

    Stored, deflated and bzip2 entries; no encryption, links, devices, absolute names, `..`, duplicates, zip64 or prefix.
    """
    if len(data) > MAX_PACK:
        raise Unreadable(f"larger than {MAX_PACK >> 20} MiB")
    try:
        entries = list(_directory(data))
        _check(entries, room)
        return dict(_contents(data, entries))
    except struct.error:
        raise Unreadable("damaged: it ends too early") from None


def _directory(data: bytes) -> Iterator[_Entry]:
    start = len(data) - _END.size
    if start < 0 or data[start : start + 4] != b"PK\5\6":
        raise Unreadable("no zip, or one that is not complete")
    _, disk, first, here, count, size, offset, comment = _END.unpack_from(data, start)
    if disk or first or here != count or comment or offset + size != start:
        raise Unreadable("damaged: its directory is not where it says")
    if count > MAX_FILES:
        raise Unreadable(f"holds more than {MAX_FILES:,} files")
    at = offset
    for _ in range(count):
        entry, length = _entry(data, at)
        yield entry
        at += length
    if at != start:
        raise Unreadable("damaged: its directory is longer than its entries")


def _entry(data: bytes, at: int) -> tuple[_Entry, int]:
    about = _CENTRAL.unpack_from(data, at)
    signature, made_by, _, flags, method, _, _, crc, packed, size, length, extra, comment, disk, _, mode, offset = about
    raw = data[at + _CENTRAL.size : at + _CENTRAL.size + length]
    if signature != b"PK\1\2" or len(raw) != length or disk:
        raise Unreadable("damaged: its directory cannot be read")
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        raise Unreadable("a name in it is not UTF-8") from None
    if flags & _ENCRYPTED:
        raise Unreadable("encrypted", name)
    if method not in (_STORED, _DEFLATE, _BZIP2):
        raise Unreadable(f"compressed by method {method}, which is not read", name)
    unix = made_by >> 8 == 3
    return _Entry(
        name, method, crc, packed, size, offset, mode >> 16 if unix else 0
    ), _CENTRAL.size + length + extra + comment


def _check(entries: list[_Entry], room: int) -> None:
    names: set[str] = set()
    for entry in entries:
        name = entry.name.removesuffix("/")
        if problem := _named_wrongly(name) or _of_wrong_kind(entry):
            raise Unreadable(problem, entry.name)
        if name in names:
            raise Unreadable("stands in it twice", name)
        names.add(name)
    folders = {"/".join(parts[:i]) for e in entries for parts in [e.name.split("/")] for i in range(1, len(parts))}
    for entry in entries:
        if entry.name in folders:
            raise Unreadable("is a file and a folder", entry.name)
    if (size := sum(entry.size for entry in entries)) > MAX_TOTAL:
        raise Unreadable(f"its files are larger than {MAX_TOTAL >> 20} MiB")
    if size > room:
        raise Unreadable(f"with those of the packs before it its files are larger than {MAX_ALL >> 20} MiB")


def _named_wrongly(name: str) -> str | None:
    if name.startswith("/") or "\\" in name or ":" in name:
        return "an absolute name, or one of another system"
    if any(ord(character) < 32 or ord(character) == 127 for character in name):
        return "a name with control characters"
    parts = name.split("/")
    if ".." in parts:
        return "leads out of the pack"
    if "" in parts or "." in parts or any(len(part.encode()) > 255 for part in parts) or len(parts) > 64:
        return "no name that a file can have"
    return None


def _of_wrong_kind(entry: _Entry) -> str | None:
    kind = stat.S_IFMT(entry.mode)
    if kind == stat.S_IFLNK:
        return "a link"
    if kind not in (0, stat.S_IFDIR if entry.is_folder else stat.S_IFREG):
        return "neither a file nor a folder"
    if entry.size > MAX_PACK:
        return f"larger than {MAX_PACK >> 20} MiB"
    if entry.is_folder and entry.size:
        return "a folder with content"
    return None


def _contents(data: bytes, entries: list[_Entry]) -> Iterator[tuple[str, bytes]]:
    end = 0
    for entry in sorted(entries, key=lambda e: e.offset):
        if entry.offset < end:
            raise Unreadable("overlaps another entry", entry.name)
        signature, _, flags, method, *_, length, extra = _LOCAL.unpack_from(data, entry.offset)
        begin = entry.offset + _LOCAL.size
        if signature != b"PK\3\4" or method != entry.method or data[begin : begin + length] != entry.name.encode():
            raise Unreadable("differs between the directory and its header", entry.name)
        begin += length + extra
        end = begin + entry.packed
        body = data[begin:end]
        if len(body) != entry.packed or flags & _ENCRYPTED:
            raise Unreadable("damaged: it ends too early", entry.name)
        if not entry.is_folder:
            yield entry.name, _content(entry, body)


def _content(entry: _Entry, body: bytes) -> bytes:
    try:
        content = _inflated(entry, body)
    except (OSError, EOFError, ValueError, zlib.error):
        raise Unreadable("damaged: it cannot be decompressed", entry.name) from None
    if len(content) != entry.size:
        raise Unreadable("is not of the size that the directory says", entry.name)
    if zlib.crc32(content) != entry.crc:
        raise Unreadable("damaged: its checksum is wrong", entry.name)
    return content


def _inflated(entry: _Entry, body: bytes) -> bytes:
    """At most one byte more than the entry's size: enough to see that it is larger."""
    if entry.method == _STORED:
        return body[: entry.size + 1]
    if entry.method == _BZIP2:
        bzip2 = bz2.BZ2Decompressor()
        content = bzip2.decompress(body, entry.size + 1)
        whole = bzip2.eof and not bzip2.unused_data
    else:
        deflate = zlib.decompressobj(-15)
        content = deflate.decompress(body, entry.size + 1)
        whole = deflate.eof and not deflate.unused_data
    if len(content) <= entry.size and not whole:
        raise ValueError("ends too early, or goes on")
    return content
