"""`compression: true` -> answers that the proxy compresses, as the client asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xds.native.feature import Feature

if TYPE_CHECKING:
    from xds.model import Operation


def compressed(operation: Operation) -> bool:
    """Whether an operation's answers are compressed.

    Of an answer that holds a secret beside what an attacker sent, the compressed length tells the secret (BREACH). So what
    holds around an operation that asks for credentials is not enough: its own `x-sidegate` must say it, or its path item's.
    """
    if not operation.native.compression:
        return False
    setting = operation.settings.get("compression")
    own = setting is not None and setting.place.pointer != "/x-sidegate/compression"
    return own or not any(alternative.credentials for alternative in operation.security)


COMPRESSION = Feature(
    key="compression",
    field="compression",
    schema={
        "type": "boolean",
        "description": "whether answers of 1 KiB and more are compressed (zstd, br, gzip, as the client accepts); for an "
        "operation that asks for credentials only said on it or its path item: compressed lengths can tell secrets (BREACH)",
    },
    read=bool,
    said=lambda value: "answers are compressed by Envoy as the client accepts" if value else "",
)
