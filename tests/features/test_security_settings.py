"""What `security` in sidegate.yaml, and files of keys, may not say: each with its place."""

from __future__ import annotations

import json

import pytest

from tests.projects import CONTRACT, compiled, pets, tree
from xds.compile import Compiler
from xds.diagnostics import Diagnostic

HASH = "a" * 64
KEYED = CONTRACT.replace(
    "  securitySchemes: {bearer: ", "  securitySchemes: {key: {type: apiKey, in: header, name: X-Key}, bearer: "
).replace("security: [{bearer: []}]", "security: [{key: []}]", 1)


def said(security: str, keys: str | None = None, contract: str = KEYED) -> tuple[Diagnostic, ...]:
    bearer = 'bearer: {issuer: "https://issuer.test", audiences: [pets], jwks: {file: keys.json}}'
    settings = f'services: {{pets: {{upstream: "http://127.0.0.1:9"}}}}\nsecurity:\n  {bearer}\n  {security}\n'
    files = pets(settings=settings, contract=contract)
    if keys is not None:
        files["keys.yaml"] = keys
    return Compiler().compile(tree(files)).diagnostics


FILE = "key: {keys: {file: keys.yaml}}"
TOKENS = "issuer: i, audiences: [a], jwks: {file: keys.json}"
LOGIN = "clientId: c, secret: {file: no}, authorize: 'https://e.com/a', token: 'https://e.com/t', signout: /out"
GOOD = f'keys:\n  - {{consumer: mobile, sha256: "{HASH}"}}\n'


def test_a_file_of_keys() -> None:
    assert not said(FILE, GOOD)


@pytest.mark.parametrize(
    ("security", "keys", "code", "place"),
    [
        ("other: {keys: {file: keys.yaml}}", GOOD, "scheme-unconfigured", "contracts/pets/v1.yaml"),
        ("key: {issuer: i, audiences: [a], jwks: {file: keys.json}}", None, "scheme-mismatch", "sidegate.yaml:4"),
        (FILE, None, "keys-unreadable", "sidegate.yaml:4"),
        (FILE, "keys: []", "keys-empty", "sidegate.yaml:4"),
        (FILE, "", "keys-empty", "sidegate.yaml:4"),
        (FILE, "[a, b]", "keys-invalid", "keys.yaml:1"),
        (FILE, "keys:\n  - a-key-in-plain-text\n", "keys-plain", "keys.yaml:2"),
        (FILE, "keys:\n  - {consumer: mobile, key: a-key}\n", "keys-plain", "keys.yaml:2"),
        (FILE, "keys:\n  - {consumer: mobile, sha256: a-key}\n", "keys-plain", "keys.yaml:2"),
        (FILE, f'keys:\n  - {{consumer: "a b", sha256: "{HASH}"}}\n', "keys-invalid", "keys.yaml:2"),
        (FILE, GOOD + f'  - {{consumer: other, sha256: "{HASH}"}}\n', "keys-invalid", "keys.yaml:3"),
        ("key: {keys: {file: keys.yaml}, forward: please}", GOOD, "settings-invalid", "sidegate.yaml:4"),
        ("key: {keys: {file: keys.yaml}, fordward: true}", GOOD, "settings-unknown-key", "sidegate.yaml:4"),
        ("key: {keys: {}}", None, "settings-invalid", "sidegate.yaml:4"),
        ("more: {issuer: i, audiences: [a]}", GOOD, "issuer-without-keys", "sidegate.yaml:4"),
        (
            "more: {issuer: i, audiences: [a], jwks: {url: 'http://e.com/k'}}",
            GOOD,
            "settings-invalid",
            "sidegate.yaml:4",
        ),
        ("more: {issuer: i, audiences: [a, ''], jwks: {file: keys.json}}", GOOD, "settings-invalid", "sidegate.yaml:4"),
        ("more: {issuer: i, audiences: [a], jwks: {url: 'ftp://e.com'}}", GOOD, "settings-invalid", "sidegate.yaml:4"),
        (
            "more: {issuer: i, audiences: [a], jwks: {file: keys.json, url: 'https://e.com'}}",
            GOOD,
            "issuer-without-keys",
            "sidegate.yaml:4",
        ),
        (
            "more: {issuer: i, audiences: [a], jwks: {url: 'https://e.com', refresh: 500ms}}",
            GOOD,
            "settings-invalid",
            "sidegate.yaml:4",
        ),
        (
            "more: {issuer: i, audiences: [a], jwks: {file: keys.json}, headers: {host: sub}}",
            GOOD,
            "settings-invalid",
            "sidegate.yaml:4",
        ),
        (
            "more: {issuer: i, audiences: [a], jwks: {file: keys.json}, headers: {x-sidegate-user: sub}}",
            GOOD,
            "settings-invalid",
            "sidegate.yaml:4",
        ),
        (f"more: {{{TOKENS}, login: {{}}}}", GOOD, "settings-invalid", "sidegate.yaml:4"),
        (f"more: {{{TOKENS}, login: {{{LOGIN}, redirect: '/a?b'}}}}", GOOD, "settings-invalid", "sidegate.yaml:4"),
        (
            f"more: {{{TOKENS}, login: {{{LOGIN}, redirect: /a, sceret: {{}}}}}}",
            GOOD,
            "settings-unknown-key",
            "sidegate.yaml:4",
        ),
        (f"more: {{{TOKENS}, login: {{{LOGIN}, redirect: /a}}}}", GOOD, "certificate-unreadable", "sidegate.yaml:4"),
        (
            f"more: {{{TOKENS}, login: {{{LOGIN.replace('https', 'http')}, redirect: /a}}}}",
            GOOD,
            "settings-invalid",
            "sidegate.yaml:4",
        ),
        (
            f"more: {{{TOKENS}, login: {{{LOGIN.replace('file: no', 'file: keys.json')}, redirect: /out}}}}",
            GOOD,
            "settings-invalid",
            "sidegate.yaml:4",
        ),
        ("more: {certificates: {}}", GOOD, "settings-invalid", "sidegate.yaml:4"),
        ("more: {certificates: {a: 'b c'}}", GOOD, "settings-invalid", "sidegate.yaml:4"),
    ],
)
def test_what_is_wrong_has_a_place(security: str, keys: str | None, code: str, place: str) -> None:
    found = [d for d in said(security, keys) if d.code == code]
    assert found, said(security, keys)
    assert str(found[0].span).startswith(place)
    assert "a-key" not in found[0].message


@pytest.mark.parametrize(
    ("scheme", "code"),
    [
        ("{type: apiKey, in: body, name: k}", "security-scheme"),
        ("{type: apiKey, in: header}", "security-scheme"),
        ("{type: apiKey, in: header, name: 'a b'}", "security-scheme"),
        ("{type: apiKey, in: header, name: Host}", "security-scheme"),
        ("{type: http, scheme: digest}", "security-unsupported"),
    ],
)
def test_a_contracts_scheme(scheme: str, code: str) -> None:
    contract = KEYED.replace("{type: apiKey, in: header, name: X-Key}", scheme)
    assert code in [d.code for d in said(FILE, GOOD, contract)]


def test_a_key_has_no_scopes() -> None:
    contract = KEYED.replace("security: [{key: []}]", "security: [{key: [admin]}]")
    assert "scope-meaningless" in [d.code for d in said(FILE, GOOD, contract)]


def test_an_operation_on_a_path_of_a_login_is_said() -> None:
    """The login answers there, on every host."""
    login = f"more: {{{TOKENS}, login: {{{LOGIN.replace('file: no', 'file: keys.json')}, redirect: /pets/v1/open}}}}"
    contract = KEYED.replace("security: [{key: []}]", "security: [{bearer: []}]", 1)
    found = [d for d in said(login, None, contract) if d.code == "path-overlap"]
    assert [(d.is_error, d.span and d.span.file) for d in found] == [(False, "contracts/pets/v1.yaml")]
    assert "a path of more's login" in found[0].message


def test_new_keys_change_no_digest() -> None:
    """Keys come and go; nothing but the proxy's program looks at them."""
    settings = f'services: {{pets: {{upstream: "http://127.0.0.1:9"}}}}\nsecurity:\n  {FILE}\n'
    settings += '  bearer: {issuer: "https://issuer.test", audiences: [pets], jwks: {file: keys.json}}\n'
    one, other = (
        compiled({**pets(settings=settings, contract=KEYED), "keys.yaml": GOOD.replace(HASH, digit * 64)})
        for digit in "ab"
    )
    assert one.digests == other.digests
    assert one.gateway != other.gateway


@pytest.mark.parametrize(
    "key",
    [
        {"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "P-256", "x": "A" * 43},
        {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43, "alg": "ES256"},
        {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43, "use": "enc"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB", "alg": "none"},
        {"kty": "RSA", "n": "not base64", "e": "AQAB"},
        {"kty": "RSA", "e": "AQAB"},
    ],
)
def test_keys_that_verify_nothing(key: dict[str, str]) -> None:
    """Envoy would refuse every token, and say nothing."""
    good = {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}
    for listed, codes in (([key], ["jwks-invalid"]), ([key, good], [])):
        files = {**pets(), "keys.json": json.dumps({"keys": listed})}
        assert [found.code for found in Compiler().compile(tree(files)).diagnostics] == codes


@pytest.mark.parametrize("name", ["X-Sidegate-Consumer", "x-envoy-key", "X-Forwarded-For", "x-original-url"])
def test_a_key_is_in_no_header_that_the_proxy_takes_off(name: str) -> None:
    written = CONTRACT.replace(
        "securitySchemes: {", f"securitySchemes: {{key: {{type: apiKey, in: header, name: {name}}}, "
    )
    (found,) = Compiler().compile(tree(pets(contract=written))).diagnostics
    assert (found.code, found.span and found.span.pointer) == (
        "security-scheme",
        "/components/securitySchemes/key/name",
    )
    assert f"no client can send the header {name}" in found.message
