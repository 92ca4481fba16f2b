"""A folder of input and output files: compared, or rewritten with SIDEGATE_UPDATE_GOLDEN=1, which also deletes orphans."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

UPDATE = bool(os.environ.get("SIDEGATE_UPDATE_GOLDEN"))


def compare(folder: Path, produced: Mapping[str, str], names: Iterable[str]) -> None:
    """Asserts that exactly the `produced` ones of the output files called `names` are there, with that text."""
    for name in names:
        path, text = folder / name, produced.get(name)
        if UPDATE:
            if text is None:
                path.unlink(missing_ok=True)
            else:
                path.write_text(text, encoding="utf-8")
        assert (path.read_text(encoding="utf-8") if path.exists() else None) == text, f"{path} (see {__name__})"
