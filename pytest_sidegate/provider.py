"""A service's URL, contract -> what its answers to the contract's examples break; the service itself is asked, no gateway."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pytest_sidegate.cases import cases
from pytest_sidegate.client import Answer, Client, ContractBroken, Exchange, Token
from pytest_sidegate.contract_case import ContractCase
from pytest_sidegate.project import Staged


class ProviderBroken(AssertionError):
    """A service breaks its contract; `broken` has each exchange that does."""

    def __init__(self, what: str, broken: Iterable[ContractBroken]) -> None:
        self.broken = tuple(broken)
        super().__init__("\n".join((what, *(f"  {line}" for each in self.broken for line in str(each).splitlines()))))

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        return tuple(each.exchange for each in self.broken)


@dataclass(frozen=True, slots=True)
class Verify:
    """Verifies services by the contracts of a project. `token` names the claims that are sent where nothing else is said;
    `seen` is told of each exchange.

    A service behind a gateway gets requests that were judged; so what it is asked here is what its contract shows, and an
    answer must have the status that the example has: what an example is about has to be there.
    """

    staged: Staged
    token: str = ""
    seen: Callable[[Exchange], None] | None = None

    def __call__(
        self,
        url: str,
        service: str,
        version: str,
        *,
        operations: Iterable[str] = (),
        token: Token = None,
        key: str | None = None,
        prepare: Callable[[ContractCase], None] | None = None,
    ) -> tuple[Answer, ...]:
        """Send every example of the operations (none: all) to the service at a URL. `prepare` is called before each, to put
        there what it is about. Raises `ProviderBroken` with everything that is wrong, and `LookupError` for a contract or an
        operation that there is not."""
        found = self.cases(service, version, operations, token, key)
        client = self.client(url)
        answers: list[Answer] = []
        broken: list[ContractBroken] = []
        for case in found:
            if prepare is not None:
                prepare(case)
            try:
                answers.append(case.call(client))
            except ContractBroken as one:
                broken.append(one)
        if broken:
            raise ProviderBroken(f"{url} breaks {service} {version} in {len(broken)} of {len(found)} examples", broken)
        return tuple(answers)

    def cases(
        self, service: str, version: str, operations: Iterable[str] = (), token: Token = None, key: str | None = None
    ) -> list[ContractCase]:
        """The examples that are sent. Raises `LookupError`."""
        known = self.staged.version(service, version)
        wanted, ids = set(operations), {operation.id for operation in known.operations}
        if strangers := wanted - ids:
            raise LookupError(
                f"{service} {version} has no {', '.join(sorted(strangers))}; it has {', '.join(sorted(ids))}"
            )
        found = [
            ContractCase(case, token, key)
            for case in cases(known, self.staged.shown(known))
            if not wanted or case.operation.id in wanted
        ]
        if not found:
            raise LookupError(f"{service} {version} shows no examples, so there is nothing to ask")
        return found

    def client(self, url: str) -> Client:
        """What asks the service. Nobody judges its requests: they are the contract's own."""
        return Client(url.rstrip("/"), self.staged, seen=self.seen, token=self.token, is_service=True)
