"""`packs` -> which services the packs of a namespace may define; `xds.source.union` acts by it."""

from __future__ import annotations

from typing import Any

from xds.settings.reader import Reader
from xds.source.pointer import escape


def check_packs(reader: Reader, value: Any) -> None:
    """`packs: {namespaces: {shop: [catalog, "order*"]}}`: without `namespaces` any, with it none but those."""
    section = reader.mapping(value, "/packs", ("namespaces",))
    for name, services in reader.mapping(section.get("namespaces"), "/packs/namespaces").items():
        reader.texts(services, f"/packs/namespaces/{escape(name)}")
