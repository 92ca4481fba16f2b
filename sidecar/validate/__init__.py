"""Request -> Judgement: what the contract says of a request, by validators prepared once.

    validators = Validators(version.schemas, version.operations)
    judgement = validators.judge("getItem", request)

Read `operation.py` first: it is the order of things. Only `schema.py` touches the JSON Schema engine.
"""

from __future__ import annotations

from collections.abc import Iterable

from sidecar.message import Judgement, Request
from xds.model import Operation, Schemas

from .explain import Checks
from .operation import OperationJudge
from .path import Disagreement

__all__ = ["Disagreement", "Validators"]


class Validators:
    """The validators of one version. Operations are prepared when they are first asked for, and kept."""

    def __init__(self, schemas: Schemas, operations: Iterable[Operation]) -> None:
        self._checks = Checks(schemas.resources)
        self._operations = {operation.id: operation for operation in operations}
        self._judges: dict[str, OperationJudge] = {}

    def judge(self, operation_id: str, request: Request) -> Judgement:
        """Judge one request against one operation.

        Raises KeyError for an operation that the version does not have, and `Disagreement` for a path that is not of
        the operation's template; both mean that proxy and companion hold different rules: the request must not pass.
        """
        judge = self._judges.get(operation_id)
        if judge is None:
            judge = self._judges[operation_id] = OperationJudge(self._operations[operation_id], self._checks)
        return judge.judge(request)
