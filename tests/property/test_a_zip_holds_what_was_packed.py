"""Law: what is packed comes out again, by Sidegate and by anybody's zip reader, and equal files give equal bytes."""

from __future__ import annotations

import io
import zipfile

from hypothesis import given
from hypothesis import strategies as st

from xds.packs.archive import packed, unpacked

NAMES = st.text(st.characters(exclude_characters="\0\\", exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(st.dictionaries(NAMES, st.binary(max_size=200), max_size=6))
def test_a_zip_holds_what_was_packed(files: dict[str, bytes]) -> None:
    data = packed(files)
    assert unpacked(data) == files
    assert packed(dict(files)) == data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())


def test_more_files_than_the_plain_format_counts() -> None:
    files = {f"{n}": b"" for n in range(66_000)}
    assert unpacked(packed(files)) == files
