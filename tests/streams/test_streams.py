"""Each transcript, played against both machines."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.streams.transcript import VARIANTS, Player, snapshots

FILES = sorted(Path(__file__).parent.glob("*.yaml"))


def test_there_are_transcripts() -> None:
    assert len(FILES) > 10


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_stream(file: Path, variant: str) -> None:
    document = yaml.safe_load(file.read_text())
    if variant not in document.get("variants", VARIANTS):
        pytest.skip(f"says nothing about {variant}")
    lines = [line.strip() for line in document["stream"].splitlines() if line.strip() and line.strip()[0] != "#"]
    Player(variant, snapshots(document["snapshots"])).play(lines)
