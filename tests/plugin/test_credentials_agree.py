"""Credentials of every kind, right and wrong, alone and together: the gateway and the verdicts say the same of each."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_sidegate.verdicts import Verdicts
from tests.e2e.tokens import Issuer
from tests.features.hop import Hop, contract, operation, serve
from tests.plugin.asking import Told, disagreements
from xds.keyfile import add

SCOPED = {
    "type": "oauth2",
    "flows": {"clientCredentials": {"tokenUrl": "https://t", "scopes": {"read": "", "write": ""}}},
}
SCHEMES: dict[str, Any] = {
    "bearer": SCOPED,
    "stranger": {"type": "http", "scheme": "bearer"},
    "twin": SCOPED,
    "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
    "asked": {"type": "apiKey", "in": "query", "name": "key"},
    "crumb": {"type": "apiKey", "in": "cookie", "name": "key"},
    "user": {"type": "http", "scheme": "basic"},
}
SECURITY: dict[str, list[dict[str, list[str]]]] = {
    "token": [{"bearer": []}],
    "either": [{"stranger": []}, {"bearer": []}],
    "neither": [{"bearer": []}, {"stranger": []}],
    "together": [{"bearer": [], "stranger": []}],
    "maybe": [{}, {"bearer": []}],
    "scoped": [{"bearer": ["read"]}],
    "scopes": [{"bearer": ["read", "write"]}, {"twin": ["read"]}],
    "key": [{"key": []}],
    "asked": [{"asked": []}],
    "crumb": [{"crumb": []}],
    "user": [{"user": []}],
    "mixed": [{"key": []}, {"bearer": ["write"]}],
    "both": [{"key": [], "bearer": ["write"]}],
    "pair": [{"key": [], "crumb": []}],
    "pair-or-nothing": [{"key": [], "crumb": []}, {}],
    "anyone": [{"key": []}, {"user": []}, {}],
    "open-token": [{"key": []}, {"bearer": []}, {}],
}
NATIVE = {"mode": "off", "policy": "none", "reason": "only what the proxy checks"}
POLICY = """\
package svc.authz

default allow := false

allow if input.sidegate.claims.sub != "mallory"

allow if input.sidegate.consumer == "one"

allow if input.sidegate.operation_id in {"maybe", "anyone", "open-token"}

reasons contains "not you" if input.sidegate.claims.sub == "mallory"
"""


@pytest.fixture(scope="module")
def secrets() -> dict[str, str]:
    return {}


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory, secrets: dict[str, str]) -> Iterator[Hop]:
    folder = tmp_path_factory.mktemp("credentials")
    for name in ("one", "two"):
        secrets[name] = add(folder / "consumers.yaml", name)
    secrets["ada"] = add(folder / "users.yaml", "ada", basic=True)
    file = {"keys": {"file": "keys/consumers.yaml"}}
    issued = {"audiences": ["ref"], "jwks": {"file": "keys/jwks.json"}}
    security: dict[str, Any] = dict.fromkeys(("key", "asked", "crumb"), file)
    security |= {
        "user": {"keys": {"file": "keys/users.yaml"}},
        "twin": {"issuer": Issuer().name, **issued},
        "stranger": {"issuer": "https://elsewhere.test", **issued},
    }
    paths = {f"/{name}": {"get": operation(operationId=name, security=asked)} for name, asked in SECURITY.items()}
    paths |= {
        f"/native/{name}": {"get": operation(operationId=f"native-{name}", security=asked, x_sidegate=NATIVE)}
        for name, asked in SECURITY.items()
    }
    document = contract(paths, components={"securitySchemes": SCHEMES})
    files = {f"keys/{name}": (folder / name).read_text() for name in ("consumers.yaml", "users.yaml")}
    with serve(
        folder, document, settings={"security": security}, files=files, policies={"authz.rego": POLICY}
    ) as running:
        yield running


@pytest.fixture(scope="module")
def verdicts(hop: Hop) -> Iterator[Verdicts]:
    with Verdicts.of(hop.folder) as made:
        yield made


def tokens(issuer: Issuer) -> dict[str, str]:
    """An `Authorization` for each way in which a token can be right or wrong."""
    now, good = int(time.time()), issuer.token()
    head, body, signature = good.split(".")
    unsigned = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
    made = {
        "good": good,
        "es256": issuer.token("ES256", scope="read write"),
        "eddsa": issuer.token("EdDSA", scope="write"),
        "read": issuer.token(scope="read"),
        "listed": issuer.token(scp=["read", "write"]),
        "mallory": issuer.token(sub="mallory", scope="read write"),
        "expired": issuer.token(exp=now - 3600),
        "just expired": issuer.token(exp=now - 20),
        "not yet": issuer.token(nbf=now + 3600),
        "without exp": issuer.token(exp=None),
        "without sub": issuer.token(sub=None),
        "without iss": issuer.token(iss=None),
        "without aud": issuer.token(aud=None),
        "other aud": issuer.token(aud="else"),
        "several aud": issuer.token(aud=["else", "ref"]),
        "aud as a URL": issuer.token(aud="https://ref/"),
        "other iss": issuer.token(iss="https://elsewhere.test"),
        "unknown iss": issuer.token(iss="https://nobody.test"),
        "expired elsewhere": issuer.token(iss="https://elsewhere.test", exp=now - 3600),
        "expired and unknown": issuer.token(iss="https://nobody.test", exp=now - 3600),
        "stranger": Issuer().token(),
        "stranger expired": Issuer().token(exp=now - 3600),
        "early": issuer.token(iat=now + 3600),
        "a little early": issuer.token(iat=now + 20),
        "without iat": issuer.token(iat=None),
        "without kid": issuer.token(headers={"kid": None}),
        "two lines": issuer.token(sub="ada\nadmin"),
        "crit": issuer.token(headers={"crit": ["x"], "x": 1}),
        "other kid": issuer.token(headers={"kid": "nobody"}),
        "kid of another": issuer.token(headers={"kid": "es256"}),
        "cut": good[:-6],
        "altered": f"{head}.{body[:-4]}AAAA.{signature}",
        "none": f"{unsigned}.{body}.",
        "two parts": f"{head}.{body}",
        "words": "not-a-token",
    }
    return {name: f"Bearer {token}" for name, token in made.items()}


def others(good: str, ada: str) -> dict[str, str]:
    """Other things that stand in an `Authorization`."""
    pair = base64.b64encode(ada.encode()).decode()
    return {
        "small": f"bearer {good}",
        "shouted": f"BEARER {good}",
        "spaces": f"Bearer   {good}",
        "another": f"Tutor {good}",
        "behind another": f"Tutor Bearer {good}",
        "behind": f"Bearer {good} and more",
        "inside": f"x Bearer {good}",
        "bare": good,
        "empty": "Bearer",
        "user": f"Basic {pair}",
        "user in small": f"basic {pair}",
        "unpadded": f"Basic {pair.rstrip('=')}",
        "other user": "Basic " + base64.b64encode(b"ada:wrong").decode(),
        "no colon": "Basic " + base64.b64encode(b"ada").decode(),
        "no base64": "Basic ***",
        "only basic": "Basic",
        "digest": 'Digest username="ada"',
    }


def test_tokens_and_users(hop: Hop, verdicts: Verdicts, secrets: dict[str, str]) -> None:
    good = tokens(hop.issuer)
    sent = {**good, **others(good["good"].removeprefix("Bearer "), secrets["ada"])}
    asked = [
        ("GET", f"/{prefix}{name}", [("authorization", value)] if value else [], b"")
        for prefix in ("", "native/")
        for name in SECURITY
        for value in (None, *sent.values())
    ]
    found = disagreements(hop, verdicts, asked)
    named = {value: name for name, value in sent.items()}
    assert (
        "\n".join(f"{f[0]} {[named.get(v, v) for _, v in f[1]]}: {_brief(f[3])}, here {_brief(f[4])}" for f in found)
        == ""
    )


@pytest.mark.slow
def test_keys(hop: Hop, verdicts: Verdicts, secrets: dict[str, str]) -> None:
    token = ("authorization", f"Bearer {hop.issuer.token(scope='write')}")
    wrong = ("authorization", f"Bearer {Issuer().token()}")
    placed: list[tuple[str, list[tuple[str, str]]]] = []
    for key in (secrets["one"], secrets["two"], "wrong", ""):
        placed += [("", [("x-key", key)]), (f"?key={key}", []), ("", [("cookie", f"a=b; key={key}; c")])]
        placed += [("", [("cookie", f'key="{key}"')]), ("", [("cookie", "a=b"), ("cookie", f"key={key}")])]
    one = secrets["one"]
    placed += [("", [("x-key", one), ("cookie", f"key={secrets[who]}")]) for who in ("one", "two")]
    placed += [("", [("x-key", one), ("x-key", one)]), (f"?key={one}&key={one}", []), (f"?%6bey={one}", [])]
    placed += [("", [("x-key", one), ("cookie", f"key={one}; key={one}")]), ("?key", []), ("?Key=" + one, [])]
    asked = [
        ("GET", f"/{prefix}{name}{query}", [*headers, *more], b"")
        for prefix in ("", "native/")
        for name in SECURITY
        for query, headers in placed
        for more in ((), (token,), (wrong,))
    ]
    assert disagreements(hop, verdicts, asked) == []


def _brief(told: Told) -> str:
    return f"{told.status} {(told.problem or {}).get('code')}"
