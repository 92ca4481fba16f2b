"""files -> one zip, byte for byte reproducible (APPNOTE 6.3.10: 4.3.7, 4.3.12, 4.3.16).

Written by hand, since a contract can have thousands of small files and is packed after every change: `zipfile` takes twenty
times as long. Nothing is compressed for the same reason, save in what travels (`compressed`).
"""

from __future__ import annotations

import bz2
import io
import struct
import zipfile
from collections.abc import Iterable, Mapping
from zlib import crc32

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_UTF8, _VERSION, _EPOCH = 0x800, 20, 0x21  # the first day that a zip can name: 1 January 1980
_STORED, _BZIP2, _BZIP2_VERSION, _UNIX = 0, 12, 46, 3 << 8
_REGULAR = 0o100644 << 16
_MOST_FILES, _MOST_BYTES = 0xFFFE, 0xFFFF_FFFE

_Entry = tuple[str, int, bytes, bytes]


def packed(files: Mapping[str, bytes]) -> bytes:
    """A zip of the files in their order; by `zipfile` if they are more than the plain format can count."""
    if len(files) > _MOST_FILES or sum(map(len, files.values())) + 400 * len(files) > _MOST_BYTES:
        return _packed_large(files)
    entries = ((file, _STORED, data, data) for file, data in files.items())
    return _archive(entries, _VERSION, _VERSION, 0)


def compressed(files: Mapping[str, bytes]) -> bytes:
    """A compressed zip of the files by name, the same bytes on every machine for the same files: no times, modes or owners.

    By bzip2, where that is shorter: of deflate there are several implementations that write different bytes (zlib,
    zlib-ng), of bzip2 there is one. Raises ValueError for more than the plain format can count.
    """
    if len(files) > _MOST_FILES or sum(map(len, files.values())) > _MOST_BYTES:
        raise ValueError("more files, or larger ones, than a plain zip can count")
    entries = (_shorter(file, files[file]) for file in sorted(files))
    return _archive(entries, _BZIP2_VERSION, _UNIX | _BZIP2_VERSION, _REGULAR)


def _shorter(file: str, data: bytes) -> _Entry:
    body = bz2.compress(data)
    return (file, _BZIP2, body, data) if len(body) < len(data) else (file, _STORED, data, data)


def _archive(entries: Iterable[_Entry], needed: int, made_by: int, attributes: int) -> bytes:
    """A zip of entries, each a file's name, the method of its body, that, and the data that it stands for."""
    parts: list[bytes] = []
    directory: list[bytes] = []
    offset = 0
    for file, method, body, data in entries:
        name = file.encode()
        about = (needed, _UTF8, method, 0, _EPOCH, crc32(data), len(body), len(data), len(name), 0)
        parts += (_LOCAL.pack(b"PK\3\4", *about), name, body)
        directory += (_CENTRAL.pack(b"PK\1\2", made_by, *about, 0, 0, 0, attributes, offset), name)
        offset += _LOCAL.size + len(name) + len(body)
    count, listed = len(directory) // 2, b"".join(directory)
    end = _END.pack(b"PK\5\6", 0, 0, count, count, len(listed), offset, 0)
    return b"".join((*parts, listed, end))


def _packed_large(files: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return target.getvalue()


def unpacked(data: bytes) -> dict[str, bytes]:
    """The files of a zip; `zipfile.BadZipFile` or `OSError` if it is none or is damaged."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {entry: archive.read(entry) for entry in archive.namelist()}
