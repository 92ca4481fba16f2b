"""The auth program says what OpenAPI's `security` means, judged against a few lines of Python for thousands of combinations."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import pytest

from xds.model import Alternative, Credential, Key, KeyScheme, Scheme, SchemeKind, TlsScheme
from xds.program.auth import program, requirement
from xds.program.literal import literal

lupa = pytest.importorskip("lupa.luajit21", reason="this build of lupa has no LuaJIT 2.1")

NAMES = ("a", "b", "c")
CONSUMERS = ("ada", "bob")
WRONG = "wrong"
SECRETS = {(name, who): f"secret of {who} for {name}" for name in NAMES for who in CONSUMERS}
SCHEMES: dict[str, Scheme] = {
    name: KeyScheme(name, tuple(Key(who, hashlib.sha256(SECRETS[name, who].encode()).hexdigest()) for who in CONSUMERS))
    for name in NAMES
}
HANDLE = """
return function(sent, context)
  local said, headers = {}, {}
  function headers:get(name) return sent[name] end
  function headers:remove(name) sent[name] = nil end
  function headers:replace(name, value) sent[name] = value end
  local metadata = {}
  function metadata:get() return nil end
  function metadata:set(_, key, value) said[key] = value end
  local info = {}
  function info:dynamicMetadata() return metadata end
  function info:downstreamSslConnection() return nil end
  local handle = {}
  function handle:headers() return headers end
  function handle:streamInfo() return info end
  function handle:filterContext() return { get = function(_, key) return context[key] end } end
  function handle:logErr(text) said.error = text end
  envoy_on_request(handle)
  return said.verdict, sent["x-sidegate-consumer"], said.error
end
"""


@pytest.fixture(scope="module")
def ask() -> Any:
    runtime = lupa.LuaRuntime()
    runtime.execute(program(SCHEMES.values()))
    ask = runtime.execute(HANDLE)

    def asked(text: str, sent: Mapping[str, str]) -> Any:
        context = {"requirement": text, "challenge": "", "tokens": "0", "later": "0"}
        return ask(runtime.table_from(dict(sent)), runtime.table_from(context))

    return asked


def _credential(name: str) -> Credential:
    return Credential(name, (), SchemeKind.KEY, "header", f"x-{name}")


def _meant(alternatives: list[tuple[str, ...]], brought: Mapping[str, str]) -> tuple[str, str | None]:
    """OpenAPI, Security Requirement Object; a wrong credential is not the same as none, nor are those of two consumers one."""
    consumers = [{brought[name] for name in each if brought.get(name, WRONG) != WRONG} for each in alternatives]
    for each, found in zip(alternatives, consumers, strict=True):
        if each and len(found) == 1 and all(brought.get(name, WRONG) != WRONG for name in each):
            return "pass", found.pop()
    named = {name for each in alternatives for name in each}
    wrong = any(brought.get(name) == WRONG for name in named) or any(len(found) > 1 for found in consumers)
    if () in alternatives and not wrong:
        return "pass", None
    return "credentials-invalid" if wrong else "credentials-missing", None


def test_and_or_nothing(ask: Any) -> None:
    possible = [(), *(c for size in (1, 2, 3) for c in itertools.combinations(NAMES, size))]
    chance = random.Random(3)
    for _ in range(5000):
        alternatives = chance.sample(possible, chance.randrange(1, 5))
        brought = {name: who for name in NAMES if (who := chance.choice(("ada", "ada", "bob", WRONG, "")))}
        sent = {f"x-{name}": SECRETS.get((name, who), WRONG) for name, who in brought.items()}
        security = tuple(Alternative(tuple(map(_credential, each))) for each in alternatives)
        verdict, consumer, error = ask(requirement(security, SCHEMES, {}), sent)
        assert (verdict, consumer, error) == (*_meant(alternatives, brought), None), (alternatives, brought)


def test_a_failure_is_no_verdict(ask: Any) -> None:
    """What the filter behind it refuses."""
    verdict, _, error = ask("telepathy,a,header,x-a,0", {"x-a": SECRETS["a", "ada"]})
    assert verdict is None
    assert error


def test_what_no_program_needs_is_gone() -> None:
    runtime = lupa.LuaRuntime()
    runtime.execute(program(()))
    for name in ("ffi", "io", "os", "package", "require", "loadstring", "debug", "jit", "getfenv"):
        assert runtime.eval(name) is None, name


def test_a_text_is_only_a_text() -> None:
    """No consumer's name, and no certificate's, leaves its quotation marks."""
    runtime, chance = lupa.LuaRuntime(encoding=None), random.Random(5)
    hostile = ['"]] os.exit()--', "\\", '\\"', "\n", "\r\n", "\0", "]]", "--[[", "\\x41", "é\u2028\U0001f600", "%s"]
    for text in [*hostile, *("".join(chr(chance.randrange(1, 0xD7FF)) for _ in range(20)) for _ in range(500))]:
        assert runtime.eval(literal(text)) == text.encode()
    scheme = TlsScheme("x", tuple((text, "y") for text in sorted(set(hostile))))
    lupa.LuaRuntime().execute(program((scheme,)))


def test_a_requirement_is_percent_encoded() -> None:
    odd = "a,b|c&d%e"
    scheme = KeyScheme(odd, ())
    text = requirement((Alternative((Credential(odd, (), SchemeKind.KEY, "query", odd),)),), {odd: scheme}, {})
    assert [unquote(part) for part in text.split(",")] == ["apiKey", odd, "query", odd, "0"]
