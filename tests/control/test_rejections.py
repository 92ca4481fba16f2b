"""What a proxy refused is told with the line that it comes from: an operation, a patch, or the version's contract."""

from __future__ import annotations

import pytest

from tests.projects import ADDED, CONTRACT, SETTINGS, compiled, pets, tree
from xds.ads.events import Nacked
from xds.ads.messages import Node
from xds.control.rejection import rejection

PATCH = 'patches: [{name: odd, resource: cluster, match: "other/*", merge: {connect_timeout: 1s}}]\n'
FILES = pets(contract=CONTRACT.replace("operationId: open", "operationId: list"), settings=SETTINGS + PATCH)
CLUSTER, ROUTES = "type.googleapis.com/envoy.Cluster", "type.googleapis.com/envoy.RouteConfiguration"


def line(text: str) -> int:
    return next(number for number, each in enumerate(CONTRACT.splitlines(), 1) if text in each)


@pytest.mark.parametrize(
    ("kind", "message", "names", "place"),
    [
        (
            ROUTES,
            "route 'pets/v1/listPets@0' is odd",
            (),
            f"contracts/pets/v1.yaml:{line('operationId: listPets') - 1}:",
        ),
        (ROUTES, "route 'pets/v1/list@0' is odd", (), f"contracts/pets/v1.yaml:{line('operationId: open') - 1}:"),
        (CLUSTER, "Invalid duration: \nseconds: -5\n", ("other/v1",), f"sidegate.yaml:{ADDED}:"),
        (ROUTES, "Invalid duration", ("other/v1", "pets/v1"), "contracts/pets/v1.yaml:1:"),
        (CLUSTER, "Invalid duration", ("companion", "pets/v10"), ""),
    ],
)
def test_the_place(kind: str, message: str, names: tuple[str, ...], place: str) -> None:
    event = Nacked(Node("pod-1"), "pets", kind, "1", message, names)
    said = rejection(event, compiled(FILES), tree(FILES)).diagnostic
    assert str(said.span or "").startswith(place)
    assert bool(said.span) == bool(place)
    assert "\n" not in said.message
