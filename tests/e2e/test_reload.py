"""Files change and the companion dies while the gateway runs: what is enforced, when, and what is printed."""

from __future__ import annotations

import http.client
import itertools
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.e2e import processes
from tests.e2e.shop import Shop, serve, url_of, wait
from tests.waiting import PATIENCE_S, until
from xds.control.access import read

V1, V2, POLICY = "contracts/shop/v1.yaml", "contracts/shop/v2.yaml", "policies/shop/authz.rego"
WIDE, NARROW = "minimum: 1, maximum: 100", "minimum: 1, maximum: 50"
BETWEEN = "/shop/v1/items?limit=75"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop of this module's own, since its files change."""
    with serve(tmp_path_factory.mktemp("reload")) as running:
        yield running


@pytest.fixture(autouse=True)
def as_it_was(own: Shop) -> Iterator[None]:
    """Every test begins and ends with the same files, in force."""
    names = (V1, V2, POLICY, "sidegate.yaml", "contracts/north/v1.yaml")
    before = {name: own.read(name) for name in names}
    yield
    for name, text in before.items():
        if own.read(name) != text:
            own.write(name, text)
    until(lambda: own.gateway.manage("/ready").status == 200 and not own.gateway.manage("/diagnostics").json)
    until(
        lambda: (
            own.ask("GET", BETWEEN).status_code == 200 and own.ask("GET", "/shop/v1/me", "mallory").status_code == 403
        ),
    )


def _status(shop: Shop, target: str, who: str = "rita", method: str = "GET") -> int:
    return shop.ask(method, target, who).status_code


def test_a_contract_is_enforced_once_it_is_saved(own: Shop) -> None:
    """From the save to the first request judged by it, and it is said how long that took."""
    took = []
    for text, status in ((NARROW, 400), (WIDE, 200)) * 2:
        own.write(V1, re.sub("minimum: 1, maximum: [0-9]+", text, own.read(V1)))
        took.append(until(lambda status=status: _status(own, BETWEEN) == status))
    print("judged after", [f"{seconds * 1000:.0f} ms" for seconds in took])
    assert wait(lambda: re.search(r"live in \d+ ms: 2 operations changed", own.gateway.output)), own.gateway.output[
        -500:
    ]


def test_a_policy_is_enforced_without_xds(own: Shop) -> None:
    """Swapped whole in the companion, under a revision of its own; the proxies are sent nothing."""
    clients, digests = own.gateway.manage("/clients").body, own.gateway.manage("/ready").json["digests"]
    revision = own.companion("/digests").json()["revisions"]["shop"]
    own.write(POLICY, own.read(POLICY).replace("allow if {\n\tcallers.known", "allow if {\n\tinput.sidegate"))
    took = until(lambda: _status(own, "/shop/v1/me", "mallory") == 200)
    print(f"decided after {took * 1000:.0f} ms")
    assert own.gateway.manage("/clients").body == clients
    assert own.gateway.manage("/ready").json["digests"] == digests
    assert own.companion("/digests").json()["revisions"]["shop"] != revision
    assert wait(lambda: re.search(r"live in \d+ ms: policies of shop are at revision", own.gateway.output))


def test_settings_are_live_too(own: Shop) -> None:
    since = len(own.second.log)
    own.write("sidegate.yaml", own.read("sidegate.yaml").replace(url_of(own.first), url_of(own.second)))
    until(lambda: _status(own, "/shop/v1/me") == 200 and len(own.second.log) > since)
    assert own.asked(since, own.second)[-1].path == "/shop/v1/me"


def test_a_broken_contract_keeps_what_was(own: Shop) -> None:
    """The previous form serves, its diagnostic is printed with its place; another service's change is live meanwhile."""
    own.write(V1, own.read(V1).replace("{type: integer, minimum: 1", "{type: integr, minimum: 1"))
    until(lambda: own.gateway.manage("/diagnostics").json)
    found = own.gateway.manage("/diagnostics").json[0]
    assert (found["code"], found["span"]["file"], found["span"]["line"]) == ("schema-type", V1, 14)
    assert wait(lambda: "still serving the previous shop" in own.gateway.output)
    assert "did you mean `integer`?" in own.gateway.output
    assert (_status(own, BETWEEN), _status(own, "/shop/v1/items?limit=101")) == (200, 400)
    until(lambda: own.gateway.manage("/ready").status == 200)  # proxies have acknowledged what became of the rest
    assert own.gateway.manage("/ready").json["degraded"] == ["shop has errors; its last good form serves"]
    north = own.read("contracts/north/v1.yaml")
    own.write("contracts/north/v1.yaml", north.replace("/where:", "/there:"))
    until(lambda: own.ask("GET", "/there", None, headers={"host": "north.test"}).status_code == 200)


def test_a_change_is_whole_or_not_at_all(own: Shop) -> None:
    """A service whose contract changes well and whose policy breaks stays as it was; so do its other versions."""
    own.write(POLICY, own.read(POLICY) + "\nallow if {\n")
    own.write(V1, own.read(V1).replace(WIDE, NARROW))
    own.write(V2, own.read(V2).replace("/items:", "/things:"))
    until(lambda: own.gateway.manage("/diagnostics").json)
    time.sleep(1)
    assert (_status(own, BETWEEN), _status(own, "/shop/v2/items", "dora")) == (200, 200)
    assert _status(own, "/shop/v1/me", "mallory") == 403


def test_companions_keep_the_last_three(own: Shop) -> None:
    seen = []
    for most in (90, 80, 70, 60):
        own.write(V1, re.sub("minimum: 1, maximum: [0-9]+", f"minimum: 1, maximum: {most}", own.read(V1)))
        until(lambda most=most: _status(own, f"/shop/v1/items?limit={most + 1}") == 400)
        seen.append(own.gateway.manage("/ready").json["digests"]["shop/v1"])
    assert own.companion("/digests").json()["digests"]["shop/v1"] == seen[:0:-1]


def test_an_unknown_digest_is_a_503(own: Shop) -> None:
    """The companion asked as Envoy asks it: what the routes name is judged, any other digest is refused."""
    pid, admin = own.gateway.roles()["companion"].pid, int(own.admin.rpartition(":")[2])
    port = next(p for p in processes.listening(pid) if isinstance(p, int) and p != admin)
    held = own.companion("/digests").json()["digests"]["guest/v1"][0]
    for digest, statuses in ((held, {200, 403}), ("0123456789abcdef", {503}), ("-", {503})):
        headers = {"x-sidegate-operation": f"{digest} guest/v1/door"}
        answer = httpx.get(f"http://127.0.0.1:{port}/check/guest/door?word=please", headers=headers, trust_env=False)
        assert answer.status_code in statuses, digest


def test_the_companion_killed(own: Shop) -> None:
    """503 problem documents and never an allow; back within seconds; what is Envoy's alone goes on."""
    since, killed = len(own.first.log), own.gateway.kill("companion")
    refused, began = [], time.monotonic()
    while (answer := own.ask("GET", "/shop/v1/me", "mallory")).status_code != 403:
        assert answer.status_code == 503, answer.text
        refused.append(answer.json())
        assert own.ask("GET", "/shop/v1/off").status_code == 200
        assert time.monotonic() - began < PATIENCE_S
        time.sleep(0.05)
    print(f"back after {time.monotonic() - began:.1f} s, {len(refused)} refused")
    assert refused
    assert {d["code"] for d in refused} == {"companion-unavailable"}
    assert all(d["traceId"] and d["operationId"] == "getMe" for d in refused)
    assert {r.path for r in own.asked(since)} == {"/shop/v1/off"}
    assert own.gateway.roles()["companion"].pid != killed
    assert wait(lambda: "companion was ended by SIGKILL" in own.gateway.output)
    until(lambda: own.gateway.manage("/ready").status == 200)


ASKED = (
    ("/shop/v1/items?limit=10", "rita", {200}), (BETWEEN, "rita", {200, 400}), ("/shop/v1/items?limit=101", "rita", {400}),
    (BETWEEN, "mallory", {403, 400}), ("/shop/v1/items", "mallory", {403}), ("/shop/v1/me", None, {401}),
    ("/shop/v1/nowhere", "rita", {404}),
)  # fmt: skip


@dataclass
class Clients:
    """Threads on a keep-alive connection each that ask in turn; `wrong` are answers that neither contract gives."""

    shop: Shop
    right: int = 0
    wrong: Counter[tuple[str, int | str]] = field(default_factory=Counter)
    ending: threading.Event = field(default_factory=threading.Event)

    def run(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.shop.gateway.port, timeout=PATIENCE_S)
        for target, who, statuses in itertools.islice(itertools.cycle(ASKED), number, None):
            if self.ending.wait(0.02):
                return
            headers = {"authorization": f"Bearer {self.shop.token(who)}"} if who else {}
            status: int | str
            try:
                connection.request("GET", target, headers=headers)
                answer = connection.getresponse()
                answer.read()
                status = answer.status
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                status = repr(error)
            self.right += status in statuses
            if status not in statuses:
                self.wrong[target, status] += 1


def test_reload_under_load_fails_no_request(own: Shop) -> None:
    """Thirty saved contracts, two limits in turn, while eight clients ask: each answer is the old contract's or the new
    one's, never a 5xx; and each verdict is that of the digest in its log line, never another revision's."""
    for who in ("rita", "mallory"):
        own.token(who)
    clients, log = Clients(own), own.folder / ".sidegate" / "access.log"
    lines = len(log.read_text().splitlines())
    threads = [threading.Thread(target=clients.run, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    wide = own.read(V1)
    try:
        for number in range(30):
            own.write(V1, wide.replace(WIDE, NARROW) if number % 2 == 0 else wide)
            time.sleep(0.15)
        until(lambda: clients.wrong or clients.right > 200)
    finally:
        clients.ending.set()
        for thread in threads:
            thread.join()
    assert not clients.wrong, clients.wrong
    _each_by_its_digest(log, lines)
    print(f"{clients.right} requests")


def _each_by_its_digest(log: Path, since: int) -> None:
    """Of the clients' requests within the limits, those under one digest all passed or were all refused."""
    by: dict[str, Counter[str]] = {}
    for text in log.read_text().splitlines()[since:]:
        line = read(text)
        if line["path"] == "/shop/v1/items" and line["digest"]:
            by.setdefault(line["digest"], Counter())[f"{line['status']} {line['code']}"] += 1
    assert len(by) == 2, "the two contracts have two digests"
    shares = sorted(counted["200 None"] / sum(counted.values()) for counted in by.values())
    assert shares[0] < 0.3 < shares[1], by
