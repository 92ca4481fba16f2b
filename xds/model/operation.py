"""One method on one path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xds.model.plain import Plain
from xds.native import PLAIN, Native, Setting
from xds.place import Place

from .answers import Answer
from .checks import Check, Mode, PolicyBinding
from .credentials import Alternative
from .paths import PathTemplate
from .requests import Body, Parameter


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path of one version.

    `id` is unique in the version, printable ASCII (the contract's operationId, or one made of method and path);
    `method` is upper case; `query_open` says that undeclared query parameters pass; `security` is empty if no token is
    asked for; `checks` is filled in by the `place` pass. An Operation Object under several base paths is several
    operations: the first has the contract's operationId as its `id`, the others have it as their `shared_name`.
    `settings` is what `x-sidegate` says of native features, as it was written; the `configure` pass makes `native` of it.
    `answers` is what the contract says of responses, where a feature asks for it; `events` that one is an event stream.
    """

    id: str
    method: str
    path: PathTemplate
    parameters: tuple[Parameter, ...]
    body: Body | None
    security: tuple[Alternative, ...]
    policy: PolicyBinding
    mode: Mode
    query_open: bool
    tags: tuple[str, ...]
    deprecated: bool
    place: Place
    checks: tuple[Check, ...] = ()
    shared_name: str = ""
    settings: Mapping[str, Setting] = field(default_factory=dict)
    native: Native = PLAIN
    answers: tuple[Answer, ...] = ()
    plain: Plain | None = None
    """The form of requests that keep the contract, and that nothing else is asked about; the `place` pass fills it in."""
    events: bool = False

    @property
    def name(self) -> str:
        """What the contract calls it: in policies, problem documents, logs and spans. See `shared_name`."""
        return self.shared_name or self.id
