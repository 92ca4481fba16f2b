"""pytest's hooks and options -> the fixtures and markers of contract tests, none of which does anything unless it is used.

pytest imports this into every session of everybody who has Sidegate installed: it imports nothing but pytest.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_sidegate.client import Client
    from pytest_sidegate.drawing import Drawn, Generated
    from pytest_sidegate.gateway import Gateway
    from pytest_sidegate.project import Staged
    from pytest_sidegate.provider import Verify
    from pytest_sidegate.upstream import Upstream
    from pytest_sidegate.verdicts import Verdicts

MARKER = "sidegate_contract"
GENERATED = "sidegate_generated"

_INI = (
    (
        "sidegate_dir",
        "string",
        "",
        "the project's folder with contracts/ and policies/, beside pytest's rootdir (default: it)",
    ),
    ("sidegate_env", "string", "", "the environment whose sidegate.NAME.yaml is layered over sidegate.yaml"),
    ("sidegate_engine", "string", "embedded", "what evaluates policies: embedded, or opa"),
    ("sidegate_token", "string", "", "the name in `dev.tokens` of sidegate.yaml whose claims examples are sent with"),
    ("sidegate_rego", "bool", False, "collect policies/**/*_test.rego, each test rule as an item for each engine"),
)
_OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("--sidegate-dir", {"metavar": "DIR", "help": "as sidegate_dir"}),
    ("--sidegate-env", {"metavar": "NAME", "help": "as sidegate_env"}),
    ("--sidegate-engine", {"choices": ("embedded", "opa"), "help": "as sidegate_engine"}),
    (
        "--sidegate-url",
        {"metavar": "URL", "help": "ask the gateway or service there in place of a gateway of the tests' own"},
    ),
    (
        "--sidegate-against",
        {"metavar": "VERSION", "help": "send the requests of @contract tests to this version, and judge by their own"},
    ),
    (
        "--sidegate-verify",
        {
            "metavar": "SERVICE/VERSION=URL",
            "action": "append",
            "default": [],
            "help": "send every example of a contract to a service, past any gateway, and judge its answers; a test each",
        },
    ),
    ("--sidegate-rego", {"action": "store_true", "default": None, "help": "as sidegate_rego"}),
)


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.import_plugin("pytest_sidegate.coverage.plugin")
    pluginmanager.import_plugin("pytest_sidegate.failure.plugin")
    group = parser.getgroup("sidegate", "contract tests (Sidegate)")
    for name, kind, default, words in _INI:
        parser.addini(name, words, type=kind, default=default)  # type: ignore[arg-type]
    for option, arguments in _OPTIONS:
        group.addoption(option, dest=option[2:].replace("-", "_"), **arguments)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from pytest_sidegate import hooks

    pluginmanager.add_hookspecs(hooks)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", f"{GENERATED}(service, version, mode, ...): requests for each operation; see @generated"
    )
    config.addinivalue_line(
        "markers", f"{MARKER}(service, version, operation, ...): a test for each example of a contract; see @contract"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marker = metafunc.definition.get_closest_marker(MARKER)
    if marker is not None and "case" in metafunc.fixturenames:
        from pytest_sidegate.collecting import cases_of

        found = cases_of(metafunc.config, marker)
        metafunc.parametrize("case", found, ids=[case.id for case in found])
    marker = metafunc.definition.get_closest_marker(GENERATED)
    if marker is not None and "drawn" in metafunc.fixturenames:
        from pytest_sidegate.collecting import operations_of

        ids = operations_of(metafunc.config, marker)
        metafunc.parametrize("drawn", [(marker, each) for each in ids], ids=ids, indirect=True)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix != ".rego" or not file_path.name.endswith("_test.rego") or not option(parent.config, "rego"):
        return None
    from pytest_sidegate.rego import RegoFile

    return RegoFile.from_parent(parent, path=file_path)


def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("sidegate_verify"):
        from pytest_sidegate.verifying import items_of

        items.extend(items_of(session))


def option(config: pytest.Config, name: str) -> Any:
    """What the command line says, else the ini file."""
    given = None if name == "token" else config.getoption(f"sidegate_{name}")
    return config.getini(f"sidegate_{name}") if given is None else given


@pytest.fixture(scope="session")
def sidegate_upstream(pytestconfig: pytest.Config) -> Iterator[Upstream]:
    """The stubbed service of the session, which `upstream` resets for each test."""
    from pytest_sidegate.upstream import Upstream

    upstream = Upstream()
    upstream.server.start()
    try:
        yield upstream
    finally:
        upstream.stop()


@pytest.fixture(scope="session")
def sidegate_project(pytestconfig: pytest.Config, sidegate_upstream: Upstream, sidegate_opa: str | None) -> Staged:
    """The project as its tests run it: contracts, policies, tokens and keys that tests have."""
    from pytest_sidegate.collecting import folder_of
    from pytest_sidegate.project import Staged

    staged = Staged.of(
        folder_of(pytestconfig), option(pytestconfig, "env") or None, sidegate_upstream.url, sidegate_opa
    )
    sidegate_upstream.stands_for(staged)
    return staged


@pytest.fixture(scope="session")
def sidegate_opa(pytestconfig: pytest.Config) -> Iterator[str | None]:
    """The URL of an OPA that holds the project's policies, where the engine is OPA; else None."""
    if option(pytestconfig, "engine") != "opa":
        yield None
        return
    from pytest_sidegate.collecting import folder_of
    from pytest_sidegate.opa import NoOpa, served

    try:
        with served(folder_of(pytestconfig)) as url:
            yield url
    except NoOpa as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def verdicts(pytestconfig: pytest.Config, sidegate_project: Staged, sidegate_opa: str | None) -> Iterator[Verdicts]:
    """What the whole gateway would answer, without one and in milliseconds: `verdicts.judge(method, path, headers, body)`."""
    from pytest_sidegate.collecting import verdicts_of

    with verdicts_of(pytestconfig, sidegate_project, sidegate_opa) as made:
        yield made


@pytest.fixture(scope="session")
def gateway(sidegate_project: Staged, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A real Envoy with its control plane and companion, on free ports, before the stubbed service; one a worker."""
    from pytest_sidegate.gateway import started

    running = started(sidegate_project, tmp_path_factory.mktemp("sidegate"))
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def upstream(sidegate_upstream: Upstream, sidegate_project: Staged) -> Iterator[Upstream]:
    """The service behind the gateway, stubbed from its contract; a test fails if it gave an answer that this forbids."""
    sidegate_upstream.reset()
    yield sidegate_upstream
    try:
        sidegate_upstream.check()
    finally:
        sidegate_upstream.reset()


@pytest.fixture
def client(request: pytest.FixtureRequest, sidegate_project: Staged) -> Client:
    """Asks the gateway, or what `--sidegate-url` names, and judges each answer by the contract."""
    from pytest_sidegate.client import Client

    config = request.config
    url = config.getoption("sidegate_url")
    if url is None:
        request.getfixturevalue("upstream")
        base, rules = request.getfixturevalue("gateway").url, request.getfixturevalue("verdicts")
    else:
        base, rules = url.rstrip("/"), None

    from pytest_sidegate.collecting import watching

    return Client(base, sidegate_project, rules, watching(config, sidegate_project), option(config, "token"))


@pytest.fixture(scope="session")
def sidegate_generated(gateway: Gateway, sidegate_project: Staged) -> Generated:
    """What makes schemathesis' requests for the gateway."""
    from pytest_sidegate.client import Client
    from pytest_sidegate.drawing import Generated

    return Generated(Client(gateway.url, sidegate_project))


@pytest.fixture
def drawn(request: pytest.FixtureRequest, sidegate_generated: Generated) -> Drawn:
    """schemathesis' requests for one operation, of a test with `@generated`: `drawn.check()` sends them."""
    marker, operation = request.param
    service, version, mode, _ = marker.args
    said = marker.kwargs
    return sidegate_generated.drawn(service, version, operation, mode, said["token"], said["examples"])


@pytest.fixture
def verify_provider(sidegate_project: Staged, pytestconfig: pytest.Config) -> Verify:
    """`verify_provider(url, "catalog", "v1")`: every example of a contract sent to a service, its answers judged."""
    from pytest_sidegate.collecting import watching
    from pytest_sidegate.provider import Verify

    return Verify(sidegate_project, option(pytestconfig, "token"), watching(pytestconfig, sidegate_project))
