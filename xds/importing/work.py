"""Work: what is known of an API while it is carried over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xds.importing.authorizers import Scheme
from xds.importing.export import Export
from xds.importing.keys import Keys
from xds.importing.part import Notes
from xds.importing.plans import Plans
from xds.importing.stages import Stage
from xds.source import Document


@dataclass(frozen=True, slots=True)
class Sources:
    """What is imported. `service` is a name, or empty for one made of the title; `stage` the stage whose settings count,
    or empty for the export's; `base` a base path in place of the export's; `report` is what becomes of requests that AWS
    did not check: recorded (True) or enforced."""

    export: Document
    stages: Document | None = None
    plans: Document | None = None
    service: str = ""
    version: str = "v1"
    stage: str = ""
    base: str | None = None
    audiences: tuple[str, ...] = ()
    report: bool = True


@dataclass(slots=True)
class Work:
    """What is known of the API while it is carried over."""

    export: Export
    sources: Sources
    stages: tuple[Stage, ...]
    stage: Stage | None
    plans: Plans
    schemes: Mapping[str, tuple[Scheme, ...]]
    notes: Notes
    base: str
    closed: str = ""
    hosts: bool = False
    document: Keys = field(default_factory=dict)
    paths: dict[str, Keys] = field(default_factory=dict)
