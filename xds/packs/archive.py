"""files -> one zip, byte for byte reproducible (APPNOTE 6.3.10: 4.3.7, 4.3.12, 4.3.16).

Written by hand, since a contract can have thousands of small files and is packed after every change: `zipfile` takes twenty
times as long. Nothing is compressed for the same reason, save in what travels (`compressed`).
"""

from __future__ import annotations

import bz2
import io
import struct
import zipfile
from collections.abc import Mapping
from zlib import crc32

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_UTF8, _VERSION, _EPOCH = 0x800, 20, 0x21  # the first day that a zip can name: 1 January 1980
_BZIP2, _BZIP2_VERSION, _UNIX = 12, 46, 3 << 8
_REGULAR = 0o100644 << 16
_MOST_FILES, _MOST_BYTES = 0xFFFE, 0xFFFF_FFFE


def packed(files: Mapping[str, bytes]) -> bytes:
    """A zip of the files in their order; by `zipfile` if they are more than the plain format can count."""
    if len(files) > _MOST_FILES or sum(map(len, files.values())) + 400 * len(files) > _MOST_BYTES:
        return _packed_large(files)
    parts: list[bytes] = []
    directory: list[bytes] = []
    offset = 0
    for file, data in files.items():
        name, size, check = file.encode(), len(data), crc32(data)
        about = (_VERSION, _UTF8, 0, 0, _EPOCH, check, size, size, len(name), 0)
        parts += (_LOCAL.pack(b"PK\3\4", *about), name, data)
        directory += (_CENTRAL.pack(b"PK\1\2", _VERSION, *about, 0, 0, 0, 0, offset), name)
        offset += _LOCAL.size + len(name) + size
    listed = b"".join(directory)
    end = _END.pack(b"PK\5\6", 0, 0, len(files), len(files), len(listed), offset, 0)
    return b"".join((*parts, listed, end))


def compressed(files: Mapping[str, bytes]) -> bytes:
    """A compressed zip of the files by name, the same bytes on every machine for the same files: no times, modes or owners.

    By bzip2, where that is shorter: of deflate there are several implementations that write different bytes (zlib,
    zlib-ng), of bzip2 there is one. Raises ValueError for more than the plain format can count.
    """
    if len(files) > _MOST_FILES or sum(map(len, files.values())) > _MOST_BYTES:
        raise ValueError("more files, or larger ones, than a plain zip can count")
    parts: list[bytes] = []
    directory: list[bytes] = []
    offset = 0
    for file in sorted(files):
        name, data = file.encode(), files[file]
        short = bz2.compress(data)
        method, body = (_BZIP2, short) if len(short) < len(data) else (0, data)
        about = (_BZIP2_VERSION, _UTF8, method, 0, _EPOCH, crc32(data), len(body), len(data), len(name), 0)
        parts += (_LOCAL.pack(b"PK\3\4", *about), name, body)
        central = (_UNIX | _BZIP2_VERSION, *about, 0, 0, 0, _REGULAR, offset)
        directory += (_CENTRAL.pack(b"PK\1\2", *central), name)
        offset += _LOCAL.size + len(name) + len(body)
    listed = b"".join(directory)
    end = _END.pack(b"PK\5\6", 0, 0, len(files), len(files), len(listed), offset, 0)
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
