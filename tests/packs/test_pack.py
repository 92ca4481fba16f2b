"""`sidegate pack` and back: the same bytes every time, and a folder of packs is the project that was packed."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.features.pki import authority
from tests.projects import pets, write
from xds.cli import main
from xds.compile import Compilation
from xds.packs.packing import MAX_APPLIED, MAX_CONFIGMAP, config_map, pack
from xds.packs.unpacking import unpacked_strictly
from xds.project.project import Project


def packed(root: Path, target: Path) -> Path:
    assert main(["pack", str(root), "--format", "zip", "--output", str(target)]) == 0
    return target


def decisive(compilation: Compilation) -> object:
    """All that decides, in a form that two compilations can be compared by."""
    return compilation.digests, {name: b.revision for name, b in compilation.bundles.items()}


def test_a_folder_with_the_pack_compiles_to_the_same_digests(tmp_path: Path) -> None:
    files = pets() | {
        "policies/platform/rules.rego": "package platform.rules\n",
        "sidegate.prod.yaml": "services: {}\n",
    }
    root = write(tmp_path / "pets", files)
    packed(root, tmp_path / "sources" / "pets.zip")
    there = Project(root).compile()
    assert there.digests
    for closed in (False, True):
        for env in (None, "prod"):
            here = Project(tmp_path / "sources", env=env, closed=closed).compile()
            assert decisive(here) == decisive(there)
            assert here.diagnostics == there.diagnostics == ()


def test_the_examples_are_packed(tmp_path: Path) -> None:
    """The catalog as its chart has it, its links followed as Helm does."""
    root = tmp_path / "catalog"
    shutil.copytree(Path(__file__).parents[2] / "examples" / "charts" / "catalog" / "sidegate", root)
    packed(root, tmp_path / "sources" / "catalog.zip")
    assert decisive(Project(tmp_path / "sources").compile()) == decisive(Project(root).compile())


def test_the_same_bytes_whatever_order_times_and_modes(tmp_path: Path) -> None:
    files = pets() | {f"contracts/pets/parts/p{i}.yaml": f"a: {i}\n" for i in range(20)}
    written = []
    for number in range(3):
        names = list(files)
        random.Random(number).shuffle(names)
        root = tmp_path / str(number) / "pets"
        for name in names:
            write(root, {name: files[name]})
            os.utime(root / name, (number * 10_000, number * 10_000))
            (root / name).chmod(0o600 if number else 0o755)
        written.append(packed(root, tmp_path / f"{number}.zip").read_bytes())
    assert written[0] == written[1] == written[2]


def test_the_bytes_are_known() -> None:
    """On every machine, with every library: these were written once, and are not to change with it."""
    from xds.packs.archive import compressed

    files = {f"contracts/a/{i}.yaml": (f"key{i}: value\n" * (i * 40)).encode() for i in range(5)}
    digest = hashlib.sha256(compressed(files)).hexdigest()
    assert digest == "a5e42501906ee5bae26f422aa9481f4eb1c55a64ebcb6b1eb5efcb05f319cc2d"


def test_an_unpacker_of_the_system_reads_it(tmp_path: Path) -> None:
    """Whoever wants to look into a pack needs no Sidegate."""
    root = write(tmp_path / "pets", pets())
    target = packed(root, tmp_path / "pets.zip")
    done = subprocess.run([sys.executable, "-m", "zipfile", "-e", str(target), str(tmp_path / "out")], check=True)
    assert done.returncode == 0
    assert (tmp_path / "out/contracts/pets/v1.yaml").read_bytes() == (root / "contracts/pets/v1.yaml").read_bytes()


def test_the_manifest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write(tmp_path / "pets", pets())
    assert main(["pack", str(root), "--namespace", "shop"]) == 0
    made = yaml.safe_load(capsys.readouterr().out)
    data = base64.b64decode(made["binaryData"].pop("pets.zip"))
    assert made == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "pets",
            "namespace": "shop",
            "labels": {"sidegate.io/sources": "true", "sidegate.io/service": "pets"},
            "annotations": {"sidegate.io/sha256": hashlib.sha256(data).hexdigest()},
        },
        "binaryData": {},
    }
    assert {name: text.encode() for name, text in pets().items()} == unpacked_strictly(data)
    assert main(["pack", str(root), "--name", "other", "--output", str(tmp_path / "o" / "cm.yaml")]) == 0
    assert list(yaml.safe_load((tmp_path / "o" / "cm.yaml").read_text())["binaryData"]) == ["other.zip"]


@pytest.mark.parametrize("name", ["123", "1e3", "no", "y", "null", "0x1f", "1-2", "shop"])
def test_names_are_texts_in_the_manifest(name: str) -> None:
    """Also where Kubernetes' YAML, which is not Python's, takes bare ones for numbers and booleans."""
    text = config_map(b"data", name, (name,), name)
    metadata = yaml.safe_load(text)["metadata"]
    assert (metadata["name"], metadata["namespace"], metadata["labels"]["sidegate.io/service"]) == (name,) * 3
    assert f'  name: "{name}"\n' in text


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--name", "Not_A_Name"], 2, "no name in Kubernetes"),
        (["--namespace", "x-"], 2, "no name in Kubernetes"),
        (["--output", "sidegate.yaml/x"], 3, "cannot be written"),
    ],
)
def test_words_that_make_no_sense(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    code: int,
    says: str,
) -> None:
    root = write(tmp_path, pets())
    monkeypatch.chdir(root)
    assert main(["pack", str(root), *words]) == code
    assert says in capsys.readouterr().err


def test_two_services_want_a_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write(tmp_path, pets() | {"contracts/toys/v1.yaml": pets()["contracts/pets/v1.yaml"]})
    assert main(["pack", str(root)]) == 2
    assert "pets, toys" in capsys.readouterr().err
    assert main(["pack", str(tmp_path / "nothing")]) == 3


KEY = authority().issue("a.test").key
PRIVATE_SET = json.dumps({"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "secret"}]})


@pytest.mark.parametrize(
    ("file", "text", "line"),
    [
        ("contracts/pets/example.yaml", f"a: 1\nb: |\n  {KEY}", ":3:1"),
        ("policies/pets/data.json", json.dumps({"pets": {"key": KEY}}), ":1:1"),
        ("keys.json", PRIVATE_SET, ""),
    ],
)
def test_secrets_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, text: str, line: str
) -> None:
    root = write(tmp_path / "pets", pets() | {file: text})
    assert main(["pack", str(root), "--output", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert "error[pack-secret]" in said
    assert f"{file}{line}" in said
    assert "secret" not in said.replace("pack-secret", "").replace("a Secret", "").replace("not secret", "")
    assert not (tmp_path / "out").exists()


def test_secrets_that_the_settings_name_stay_behind(tmp_path: Path) -> None:
    """And are found beside the pack."""
    settings = pets()["sidegate.yaml"] + (
        'listeners: [{name: a, address: "127.0.0.1:8443", tls: {certificates: [{cert: tls/a.crt, key: tls/a.key}]}}]\n'
    )
    settings = settings.replace(
        "jwks: {file: keys.json}", "jwks: {file: keys.json}, login: {clientId: a, secret: {file: login.txt}}"
    )
    settings += 'decisionLog: {url: "https://logs.test", authorization: {file: collector.txt}}\n'
    settings = settings.replace("security: {", "security: {apps: {keys: {file: keys/all.yaml}}, ")
    pair = authority().issue("a.test")
    more = {"sidegate.yaml": settings, "tls/a.crt": pair.cert, "tls/a.key": pair.key, "login.txt": "hush"}
    more |= {"collector.txt": "Bearer hush"}
    root = write(
        tmp_path / "pets", pets() | more | {"keys/all.yaml": f"keys: [{{consumer: ada, sha256: {'ab' * 32}}}]\n"}
    )
    made = pack(root)
    assert sorted(str(d.span) for d in made.diagnostics if d.code == "pack-without-secret") == [
        "collector.txt", "keys/all.yaml", "login.txt", "tls/a.key",
    ]  # fmt: skip
    inside = unpacked_strictly(made.data)
    assert {"tls/a.crt", "keys.json"} <= inside.keys()
    assert not {"collector.txt", "keys/all.yaml", "login.txt", "tls/a.key"} & inside.keys()


def test_keys_that_up_makes_stay_behind(tmp_path: Path) -> None:
    settings = pets()["sidegate.yaml"] + "dev: {keys: keys.json}\n"
    root = write(tmp_path / "pets", pets() | {"sidegate.yaml": settings})
    assert "keys.json" not in unpacked_strictly(pack(root).data)


def test_what_is_too_large_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = random.Random(1).randbytes(MAX_CONFIGMAP).hex()
    root = write(tmp_path / "pets", pets() | {"contracts/pets/noise.yaml": f"a: {noise[: MAX_APPLIED * 2]}\n"})
    assert main(["pack", str(root), "--output", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().err
    assert "warning[pack-large]" in said
    assert "375,000 bytes" in said
    write(root, {"contracts/pets/noise.yaml": f"a: {noise}\nb: {noise[::-1]}\n"})
    (tmp_path / "out").unlink()
    assert main(["pack", str(root), "--output", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert "error[pack-too-large]" in said
    assert "image volume" in said
    assert not (tmp_path / "out").exists()
    assert main(["pack", str(root), "--format", "zip", "--output", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out").stat().st_size > MAX_CONFIGMAP


def test_what_cannot_be_read_is_not_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write(tmp_path / "pets", pets())
    (root / "contracts/pets/v2.yaml").symlink_to("/etc/hosts")
    assert main(["pack", str(root)]) == 1
    assert "path-escapes" in capsys.readouterr().err
    assert main(["pack", str(write(tmp_path / "empty", {"sidegate.yaml": ""}))]) == 1
    assert "no-contracts" in capsys.readouterr().err
