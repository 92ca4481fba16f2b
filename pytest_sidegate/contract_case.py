"""ContractCase: an example of a contract as a test is given it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_sidegate.cases import Case
from pytest_sidegate.client import Answer, Client, ContractBroken, Token
from pytest_sidegate.named import named, unnamed
from pytest_sidegate.wire import Written
from xds.model import Operation, SchemeKind, Version
from xds.native.versions import Choice


@dataclass(frozen=True, slots=True)
class ContractCase:
    """A request that a contract's examples make, who sends it, and the answer that the contract has for it.

    `token` is claims or the name of some, `key` a consumer; without either, the token is one that the operation takes.
    `against` is another version, whose implementation is asked, if it is not the contract's own.
    """

    case: Case
    token: Token = None
    key: str | None = None
    against: Other | None = None

    @property
    def id(self) -> str:
        """`listItems`, `placeOrder-bulk`."""
        return "-".join(filter(None, (self.case.operation.id, self.case.name)))

    @property
    def version(self) -> Version:
        return self.case.version

    @property
    def operation(self) -> Operation:
        return self.case.operation

    @property
    def request(self) -> Written:
        """The request as it is sent, without credentials: to `against`, if there is one, by that one's path."""
        return self.against.request(self.case.request) if self.against else self.case.request

    @property
    def expected(self) -> str:
        """The status that the contract has for it: `200`, `2XX` or `default`."""
        return self.case.status

    def call(self, client: Client, *, token: Token = None, key: str | None = None) -> Answer:
        """Send it. Raises `ContractBroken` if the answer breaks the contract, or has another status than is expected."""
        given = token if token is not None else self.token if self.token is not None else client.token or None
        consumer = key or self.key
        if given is None and consumer is None:
            given = self._own(client)
        judged_as = (self.version, self.operation, self.case.request)
        answer = client.send(self.request, token=given, key=consumer, judged_as=judged_as)
        if not self.expects(answer.status):
            why = f" {answer.code}" if answer.code else ""
            if answer.verdict is not None and answer.verdict.reason:
                why += f" ({answer.verdict.reason})"
            raise ContractBroken(
                answer.exchange, [f"status: {answer.status}{why}, where the example has {self.expected}"]
            )
        return answer

    def expects(self, status: int) -> bool:
        """Whether a status is the one that the contract has for the example; without one, any success is."""
        if self.expected.isdigit():
            return status == int(self.expected)
        word = self.expected[:1]
        return status // 100 == (int(word) if word.isdigit() else 2)

    def _own(self, client: Client) -> Mapping[str, Any] | None:
        """Claims that the operation's first alternative takes: its scopes, and a subject. None if it asks for no token."""
        kinds = {c.kind for a in self.operation.security[:1] for c in a.credentials}
        if SchemeKind.JWT not in kinds:
            return None
        scopes = [s for a in self.operation.security[:1] for c in a.credentials for s in c.scopes]
        return {"sub": "test", "scope": " ".join(dict.fromkeys(scopes))}


@dataclass(frozen=True, slots=True)
class Other:
    """Another version whose implementation answers: `mine` and `theirs` are the base paths of the two, and `own` and `chosen`
    what names each in a request, if its path does not."""

    version: Version
    mine: str
    theirs: str
    own: Choice | None = None
    chosen: Choice | None = None

    def request(self, request: Written) -> Written:
        """The request of the one version, as it is sent to the other."""
        bare = unnamed(request, self.own)
        return named(replace(bare, path=self.theirs + bare.path.removeprefix(self.mine)), self.chosen)
