"""A pod's volumes -> folders, projected as a kubelet does it: links to a dated folder that is swapped at once."""

from __future__ import annotations

import base64
import itertools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.charts.rendering import Object

Objects = Mapping[tuple[str, str], Object]
"""ConfigMaps and Secrets, by kind and name."""
_NUMBERS = itertools.count(1)


def make(volume: Mapping[str, Any], folder: Path, objects: Objects) -> None:
    """The volume's folder, made or brought up to date."""
    folder.mkdir(parents=True, exist_ok=True)
    if "emptyDir" in volume:
        return
    _project(folder, dict(_files(volume, objects)))


def _files(volume: Mapping[str, Any], objects: Objects) -> Iterator[tuple[str, bytes]]:
    if "projected" in volume:
        for source in volume["projected"]["sources"]:
            yield from _files(source, objects)
    elif "configMap" in volume:
        yield from _items(objects["ConfigMap", volume["configMap"]["name"]], volume["configMap"])
    elif "secret" in volume:
        source = volume["secret"]
        yield from _items(objects["Secret", source.get("secretName") or source["name"]], source)
    else:
        raise NotImplementedError(f"a volume of {sorted(volume)}")


def _items(source: Object, wanted: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    text = base64.b64decode if source["kind"] == "Secret" else str.encode
    data = {key: text(value) for key, value in source.get("data", {}).items()}
    data |= {key: base64.b64decode(value) for key, value in source.get("binaryData", {}).items()}
    paths = {item["key"]: item["path"] for item in wanted["items"]} if "items" in wanted else {key: key for key in data}
    for key, path in paths.items():
        yield path, data[key]


def _project(folder: Path, files: Mapping[str, bytes]) -> None:
    """`..data` leads to the files of now; what stands in the folder leads through it."""
    now = folder / f"..2026_{next(_NUMBERS)}"
    for name, data in files.items():
        (now / name).parent.mkdir(parents=True, exist_ok=True)
        (now / name).write_bytes(data)
    link = folder / "..data_tmp"
    link.symlink_to(now.name)
    os.replace(link, folder / "..data")
    for name in {name.split("/")[0] for name in files}:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
