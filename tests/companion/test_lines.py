"""The companion's line to a shared control plane: never in the clear by mistake, and nothing kept on disk ends it."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from pathlib import Path

import pytest

from sidecar.central import LOOK_UP_S, Central
from sidecar.cli import main
from sidecar.received import Received
from xds.address import Address, where
from xds.handout import tree_of


@pytest.mark.parametrize("given", [("ca",), ("cert", "key"), ("ca", "key")])
def test_certificates_go_together(given: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = [word for name in given for word in (f"--xds-{name}", str(tmp_path / name))]
    with pytest.raises(SystemExit) as ended:
        main(["--xds", "127.0.0.1:1", *flags])
    assert ended.value.code == 2
    assert "go together" in capsys.readouterr().err


def test_a_name_that_leads_nowhere_takes_no_replica_away(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"one.test": ["ipv4:10.0.0.1:1"], "two.test": ["ipv4:10.0.0.2:1"]}
    slow = asyncio.Event()

    async def looked_up(place: Address) -> list[str]:
        if place.host == "slow.test":
            await slow.wait()
        return known.get(place.host, [])

    monkeypatch.setattr("sidecar.central._targets", looked_up)

    async def main() -> None:
        central = Central.at("one.test:1,two.test:1", None, "node")
        both = await central._resolved()
        assert both == ("ipv4:10.0.0.1:1", "ipv4:10.0.0.2:1")
        central.needed = {target: {"pets/v1": ["d"]} for target in both}
        for names in ({"two.test"}, {"one.test", "two.test"}):
            for name in names:
                known.pop(name, None)
            await central._look_up()
            assert await central._resolved() == both
        assert {*central.needed} == {*both}
        known["one.test"] = ["ipv4:10.0.0.3:1"]
        await central._look_up()
        assert await central._resolved() == ("ipv4:10.0.0.3:1", "ipv4:10.0.0.2:1")
        assert {*central.needed} == {"ipv4:10.0.0.2:1"}
        central.places, central._looked_up = (where("slow.test:1"), *central.places), -LOOK_UP_S
        assert len(await central._resolved()) == 2, "nobody waits for a name server once there is something"
        await central.close()

    asyncio.run(main())


DAMAGED = [b"no zip", b"PK\5\6" + bytes(17), b""]


@pytest.mark.parametrize("content", DAMAGED)
def test_damaged_sources_are_no_sources(content: bytes) -> None:
    with pytest.raises(ValueError, match="damaged"):
        tree_of({"sources": b64encode(content).decode(), "members": {}, "env": None})


@pytest.mark.parametrize("kept", ["[]", "null", '{"sources": 1, "members": [], "env": null}'])
def test_kept_sources_of_another_shape_are_passed_over(tmp_path: Path, kept: str) -> None:
    (tmp_path / "sources.json").write_text(kept)
    assert not Received(Central.at("127.0.0.1:1", None, "node", "pets"), tmp_path)._from_disk()


def test_a_damaged_file_of_kept_sources_is_passed_over(tmp_path: Path) -> None:
    kept = {"revision": "r", "env": None, "members": {}, "sources": b64encode(DAMAGED[0]).decode()}
    (tmp_path / "sources.json").write_text(json.dumps(kept))
    received = Received(Central.at("127.0.0.1:1", None, "node", "pets"), tmp_path)
    assert not received._from_disk()
    assert received.revision == ""
