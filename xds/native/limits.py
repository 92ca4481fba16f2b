"""`bodyLimit: 64KiB` -> the largest request body that an operation takes, in bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from xds.native.feature import Feature, Problem, Site
from xds.native.quantities import SIZE, octets

if TYPE_CHECKING:
    from xds.model import Operation

HARD = 10 << 20
"""No body is larger than this: what is judged whole is held in memory whole."""


def _check(value: int, operation: Operation, site: Site) -> Iterator[Problem]:
    if value > HARD:
        help_ = "let the service take it in parts, or give clients a place to upload to"
        yield Problem(f"no body may be larger than {HARD >> 20}MiB", help=help_)


BODY_LIMIT = Feature(
    key="bodyLimit",
    field="body_limit",
    schema={**SIZE, "description": "the largest request body that is taken, up to 10MiB: 64KiB"},
    read=octets,
    check=_check,
    said=lambda value: f"bodies of more than {value} bytes are refused: by announced length, else as they come",
)
