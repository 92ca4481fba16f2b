"""A companion follows its control plane where the two have seen different changes of a contract."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sidecar.reload import Current, Reloader
from tests.projects import CONTRACT, SETTINGS, pets
from xds.policy import open as opening

STRICT = SETTINGS.replace("publish: {breaking: allow}\n", "")
NARROW = CONTRACT.replace("maximum: 100", "maximum: 50")


def write(root: Path, contract: str) -> None:
    for name, text in pets(settings=STRICT, contract=contract).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


async def _nobody(seconds: float) -> None:
    """No control plane is told."""


async def _follow(root: Path) -> None:
    engine = opening.open_engine(None, workers=1, deadline=1.0)
    current = Current(engine)
    reloader = Reloader(root, root / "state", current, _nobody, lambda opa: engine)
    name = "pets/v1"

    def digest() -> str:
        return current.plan.digests[name][0]

    try:
        write(root, CONTRACT)
        await reloader.load()
        wide = digest()
        write(root, NARROW)
        await reloader.load()
        assert digest() == wide, "it breaks clients"
        narrow = reloader.project.compile().withheld[name]
        await reloader.advise({name: wide}, {})
        assert digest() == wide
        await reloader.advise({name: narrow}, {})
        assert digest() == narrow, "the control plane has seen something else before, and publishes it"
        await reloader.advise({name: wide}, {name: narrow})
        assert digest() == wide, "the control plane holds it back"
        assert set(current.plan.digests[name]) == {wide, narrow}
    finally:
        await engine.close()


def test_the_control_planes_word_counts(tmp_path: Path) -> None:
    asyncio.run(_follow(tmp_path))
