"""`timeout: 2s` -> seconds that the upstream has for its whole answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from xds.native.feature import Feature, Problem, Site
from xds.native.quantities import DURATION, seconds

if TYPE_CHECKING:
    from xds.model import Operation


def _check(value: float, operation: Operation, site: Site) -> Iterator[Problem]:
    if not value:
        yield Problem("a timeout of zero would be none at all", help="leave it out for the gateway's default")


TIMEOUT = Feature(
    key="timeout",
    field="timeout",
    schema={**DURATION, "description": "how long the service may take for its whole answer, retries included: 2s"},
    read=seconds,
    check=_check,
    said=lambda value: f"the service has {value:g} s for its answer (Envoy's route timeout)",
)
