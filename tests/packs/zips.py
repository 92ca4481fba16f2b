"""Zips as nobody should write them."""

from __future__ import annotations

import io
import stat
import struct
import warnings
import zipfile
import zlib

GOOD = {"contracts/pets/v1.yaml": b"openapi: 3.0.3\n", "sidegate.yaml": b"services: {}\n"}


def entry(name: str, mode: int = stat.S_IFREG | 0o644, method: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.create_system, made.external_attr, made.compress_type = 3, mode << 16, method
    return made


def with_(name: str, data: bytes = b"x", mode: int = stat.S_IFREG | 0o644, *more: str) -> bytes:
    """A zip as it should be, and one entry more."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a name is there twice is what one of them is for
        for file, content in GOOD.items():
            archive.writestr(entry(file), content)
        for each in (name, *more):
            archive.writestr(entry(each, mode), data)
    return target.getvalue()


def raw_name(name: bytes) -> bytes:
    """A zip whose last entry has a name that `zipfile` would not write."""
    placeholder = "Z" * len(name)
    return with_(placeholder).replace(placeholder.encode(), name)


def bomb(size: int) -> bytes:
    """A small zip with a large file."""
    return with_("contracts/pets/zeros.yaml", bytes(size))


def bombs(count: int, size: int) -> bytes:
    """A small zip with many large files."""
    return with_(
        "contracts/pets/z0.yaml",
        bytes(size),
        stat.S_IFREG | 0o644,
        *(f"contracts/pets/z{i}.yaml" for i in range(1, count)),
    )


def understated() -> bytes:
    """An entry that unpacks to more than its directory says."""
    data = bytearray(with_("contracts/pets/more.yaml", b"y" * 5000))
    for at in _entries(data, b"contracts/pets/more.yaml"):
        struct.pack_into("<I", data, at, 10)
    return bytes(data)


def wrong_checksum() -> bytes:
    data = with_("contracts/pets/more.yaml", b"y" * 50)
    return data.replace(struct.pack("<I", zlib.crc32(b"y" * 50)), struct.pack("<I", 1))


def overlapping() -> bytes:
    """Two directory entries for one stretch of data."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(entry("a.yaml"), b"x" * 100)
        archive.writestr(entry("b.yaml"), b"x" * 100)
    data = bytearray(target.getvalue())
    second = data.rindex(b"PK\1\2")
    struct.pack_into("<I", data, second + 42, 0)
    return bytes(data)


def _entries(data: bytearray, name: bytes) -> list[int]:
    """Where the sizes of an entry stand: in its header and in the directory."""
    first = data.index(name)
    last = data.rindex(name)
    return [first - 30 + 22, last - 46 + 24]


HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "no zip": b"contracts/pets/v1.yaml\n" * 50,
    "half": with_("a.yaml")[:-30],
    "without its beginning": with_("a.yaml")[10:],
    "something before it": b"#!/bin/sh\n" + with_("a.yaml"),
    "something after it": with_("a.yaml") + b"more",
    "upwards": with_("../evil.yaml"),
    "upwards inside": with_("contracts/../../evil.yaml"),
    "absolute": with_("/etc/evil.yaml"),
    "a drive": with_("c:evil.yaml"),
    "backslashes": raw_name(b"contracts\\evil.yaml"),
    "an empty part": raw_name(b"contracts//evil.yaml"),
    "a dot": with_("contracts/./evil.yaml"),
    "a line end": raw_name(b"contracts/e\nil.yaml"),
    "a zero byte": raw_name(b"contracts/e\0il.yaml"),
    "no utf-8": raw_name(b"contracts/e\xffil.yaml"),
    "a link": with_("contracts/pets/v2.yaml", b"/etc/passwd", stat.S_IFLNK | 0o777),
    "a device": with_("contracts/pets/v2.yaml", b"", stat.S_IFCHR | 0o644),
    "a pipe": with_("contracts/pets/v2.yaml", b"", stat.S_IFIFO | 0o644),
    "twice": with_("contracts/pets/v1.yaml", b"another"),
    "a file and a folder": with_("contracts/pets", b"x"),
    "a wrong checksum": wrong_checksum(),
    "more than it says": understated(),
    "overlapping": overlapping(),
    "a large file": bomb(40 * 1024 * 1024),
    "many large files": bombs(20, 8 * 1024 * 1024),
}
