"""`x-sidegate` -> Native: what Envoy carries out by itself for an operation. One module a feature; `FEATURES` lists them.

A feature's meaning is here (schema, value, checks), its Envoy configuration in `xds.envoy`. To add one: a module with a
`Feature`, a row in `FEATURES`, an attribute of `Native`, and what lowers it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xds.native.addresses import ADDRESSES, Addresses
from xds.native.authorization import AUTHORIZATION
from xds.native.caching import CACHE, Cache
from xds.native.compression import COMPRESSION
from xds.native.cors import CORS, Cors
from xds.native.deprecation import DEPRECATED, MIGRATION, SUCCESSOR, SUNSET, Deprecated, Sunset
from xds.native.edge import Edge
from xds.native.errors import ERRORS, Wordings
from xds.native.fault import FAULT, Fault
from xds.native.feature import Feature, Problem, Setting, Site, nothing_wrong_with_all
from xds.native.limits import BODY_LIMIT
from xds.native.matching import MATCH, Conditions
from xds.native.mocks import MOCK, Mock
from xds.native.rates import RATE_LIMITS, RateLimit
from xds.native.retries import DECLARED_IDEMPOTENT, RETRIES, Retries
from xds.native.shedding import SHED, Shed
from xds.native.slo import SLO, Objectives
from xds.native.splits import MIRROR, SPLIT, Mirror, Split
from xds.native.streams import UPGRADE
from xds.native.targets import REDIRECT, REWRITE, Redirect, Rewrite
from xds.native.timeouts import TIMEOUT
from xds.native.transforms import HEADERS, QUERY, Changes, HeaderChanges
from xds.native.versions import VERSION, Choice
from xds.place import Place

if TYPE_CHECKING:
    from xds.model import Operation

__all__ = [
    "FEATURES",
    "PLAIN",
    "Edge",
    "Feature",
    "Native",
    "Problem",
    "Setting",
    "Site",
    "native_of",
    "problems",
    "problems_of_all",
    "said",
]


@dataclass(frozen=True, slots=True)
class Native:
    """The native features of one operation, each with a default that asks for nothing. Hashable: routes are kept by it."""

    timeout: float | None = None
    slo: Objectives | None = None
    cors: Cors | None = None
    cache: Cache | None = None
    compression: bool = False
    retries: Retries | None = None
    idempotent: bool = False
    split: Split = ()
    mirror: Mirror | None = None
    addresses: Addresses | None = None
    authorization: str | None = None
    match: Conditions | None = None
    version: Choice | None = None
    deprecated: Deprecated | None = None
    sunset: Sunset | None = None
    successor: str | None = None
    migration: str | None = None
    upgrade: str | None = None
    rewrite: Rewrite | None = None
    redirect: Redirect | None = None
    shed: Shed | None = None
    body_limit: int | None = None
    headers: HeaderChanges | None = None
    query: Changes | None = None
    mock: Mock | None = None
    fault: Fault | None = None
    errors: Wordings = ()
    rate_limits: tuple[RateLimit, ...] = ()


PLAIN = Native()
"""Nothing asked for: the value that all operations without native features share."""

FEATURES: tuple[Feature, ...] = (
    TIMEOUT,
    CORS,
    CACHE,
    COMPRESSION,
    RETRIES,
    DECLARED_IDEMPOTENT,
    SPLIT,
    MIRROR,
    ADDRESSES,
    AUTHORIZATION,
    MATCH,
    VERSION,
    DEPRECATED,
    SUNSET,
    SUCCESSOR,
    MIGRATION,
    UPGRADE,
    REWRITE,
    REDIRECT,
    SHED,
    BODY_LIMIT,
    HEADERS,
    QUERY,
    MOCK,
    FAULT,
    ERRORS,
    RATE_LIMITS,
    SLO,
)
"""In the order in which `sidegate explain` and the published schema show them."""

_BY_KEY = {feature.key: feature for feature in FEATURES}


def native_of(settings: Mapping[str, Setting]) -> Native:
    """The values of settings that their features' schemas take; keys of no feature are left aside."""
    values: dict[str, Any] = {}
    for key, setting in settings.items():
        if feature := _BY_KEY.get(key):
            values[feature.field] = (
                feature.read_setting(setting) if feature.read_setting else feature.read(setting.value)
            )
    return Native(**values)


def said(native: Native) -> Iterator[tuple[str, str]]:
    """Kind and words of each feature that an operation has, for `sidegate explain`."""
    for feature in FEATURES:
        value = getattr(native, feature.field)
        if value not in _NOTHING and (words := feature.said(value)):
            yield feature.key, words


_NOTHING = (None, ())


def problems(operation: Operation, site: Site) -> Iterator[tuple[Setting, Problem]]:
    """What the features find wrong with an operation's settings, each with the setting it is about."""
    for key, setting in operation.settings.items():
        if feature := _BY_KEY.get(key):
            for problem in feature.check(getattr(operation.native, feature.field), operation, site):
                yield setting, problem


_ASKING_ALL = tuple(feature for feature in FEATURES if feature.check_all is not nothing_wrong_with_all)


def problems_of_all(operations: Sequence[Operation]) -> Iterator[tuple[Setting, Problem]]:
    """What the features find wrong with settings of a version's contract, looking at all operations that they hold for."""
    by_path: dict[str, list[Operation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path.text, []).append(operation)
    for feature in _ASKING_ALL:
        held: dict[Place, list[Operation]] = {}
        for operation in operations:
            setting = operation.settings.get(feature.key)
            if setting is not None and setting.rule is None:
                held.setdefault(setting.place, []).append(operation)
        for each in held.values():
            paths = dict.fromkeys(operation.path.text for operation in each)
            near = [operation for path in paths for operation in by_path[path]]
            value = getattr(each[0].native, feature.field)
            for problem in feature.check_all(value, each, near):
                yield each[0].settings[feature.key], problem
