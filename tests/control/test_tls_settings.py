"""`listeners` and TLS of upstreams: what is refused, and where; what is kept; what is in a digest and what is not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from tests.features.pki import Pair, authority
from tests.projects import SETTINGS, pets, tree, write
from xds.compile import Compilation, Compiler
from xds.envoy import Profile, lower
from xds.envoy.codec import encode
from xds.envoy.downstream_tls import Chain, chains
from xds.model.listeners import Offered, Tls, covers
from xds.project.project import Project
from xds.snapshot import delta, snapshot_of

A = authority().issue("a.test")
PROFILE = Profile(("127.0.0.1", 8080), ("127.0.0.1", 8082))
TLS = "listeners:\n  - name: edge\n    address: 127.0.0.1:8443\n    tls: {certificates: [{cert: a.cert, key: a.key}]}\n"


def files(settings: str = "", pair: Pair = A, **more: str) -> dict[str, str]:
    every = {"a.cert": pair.cert, "a.key": pair.key, "ca.pem": authority().pem, **more}
    return {**pets(settings=SETTINGS + (settings or TLS)), **every}


def compiled(given: dict[str, str], previous: Compilation | None = None) -> Compilation:
    return Compiler().compile(tree(given), previous)


def listener(**changes: object) -> str:
    """One listener with TLS, its keys changed."""
    tls = {"certificates": [{"cert": "a.cert", "key": "a.key"}], **changes.pop("tls", {})}  # type: ignore[dict-item]
    row = {"name": "edge", "address": "127.0.0.1:8443", "tls": tls, **changes}
    return yaml.safe_dump({"listeners": [{key: value for key, value in row.items() if value is not None}]})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("listeners: []\n", "`listeners` is a list"),
        (listener(name="Edge"), "`name` is of lower-case"),
        (listener(address="8443"), "`address` is HOST:PORT"),
        (listener(address="127.0.0.1:0"), "`address` is HOST:PORT"),
        (listener(redirect="https"), "`redirect` is for a listener without"),
        ("listeners:\n  - {name: x, address: 127.0.0.1:9, http3: true}\n", "`http3` needs `tls`"),
        (listener(hsts={"maxAge": "long"}), "`maxAge` like 365d"),
        (listener(publicPort=70000), "must be a port"),
        (listener(http3="yes"), "must be true or false"),
        (listener(hosts=[]), "`hosts` names no host"),
        (listener(hosts=["b.test"]), "no certificate of the listener is for 'b.test'"),
        (listener(tls={"certificates": []}), "`certificates` lists at least one"),
        (listener(tls={"certificates": [{"cert": "a.cert"}]}), "a `cert` and a `key`"),
        (listener(tls={"minVersion": "1.1"}), '`minVersion` is "1.2" or "1.3"'),
        (listener(tls={"clientCertificate": "required"}), "asked for with a `clientCa`"),
        (listener(tls={"clientCa": "ca.pem", "clientCertificate": "none"}), "asked for with a `clientCa`"),
        (listener(tls={"clientCa": "ca.pem", "clientCertificate": "maybe"}), "none, optional or required"),
        (listener(tls={"certificates": [{"cert": "bare.cert", "key": "bare.key"}]}), "has no DNS name"),
        (TLS + "  - {name: edge, address: 127.0.0.1:9}\n", "the same name"),
        (TLS + "  - {name: two, address: 127.0.0.1:8443}\n", "the same address"),
        (TLS + "  - {name: two, address: 127.0.0.1:9, redirect: nowhere}\n", "`redirect` is `https` where one"),
        (TLS.replace("tls:", "tsl:"), "unknown key 'tsl'"),
    ],
)  # fmt: skip
def test_bad_settings_have_a_place(settings: str, message: str) -> None:
    bare = authority().issue()
    compilation = compiled(files(settings, **{"bare.cert": bare.cert, "bare.key": bare.key}))
    found = [d for d in compilation.diagnostics if message in d.message]
    assert found, compilation.diagnostics
    assert found[0].span
    assert (found[0].span.file, found[0].span.line > 2) == ("sidegate.yaml", True)
    assert compilation.refused == {"pets"}


def _weak() -> Pair:
    from cryptography.hazmat.primitives.asymmetric import ed25519
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ed25519.Ed25519PrivateKey.generate()
    return Pair(A.cert, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(), 0)


WRONG = {
    "certificate-mismatch": Pair(A.cert, authority().issue("a.test").key, 0),
    "certificate-validity": authority().issue("a.test", valid=timedelta(minutes=-1)),
    "certificate-invalid": Pair("none", A.key, 0),
    "certificate-invalid key": Pair(A.cert, "none", 0),
    "certificate-invalid strength": _weak(),
    "certificate-invalid private": Pair(A.cert + A.key, A.key, 0),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_files_are_refused_or_the_last_good_kept(what: str) -> None:
    code = what.partition(" ")[0]
    wrong = files(pair=WRONG[what])
    first = compiled(wrong)
    assert [d.code for d in first.diagnostics] == [code]
    assert (first.refused, first.gateway.listeners) == ({"pets"}, ())
    good = compiled(files())
    after = compiled(wrong, good)
    assert [d.code for d in after.diagnostics] == [code]
    assert (after.refused, after.gateway) == (frozenset(), good.gateway)


@pytest.mark.parametrize(
    ("whole", "left", "told"),
    [
        (90, 29, True),
        (90, 31, False),
        (365, 29, True),
        (365, 100, False),
        (30, 9, True),
        (30, 11, False),
        (1, 0.9, False),
    ],
)
def test_what_expires_soon_is_said_and_served(whole: float, left: float, told: bool) -> None:
    """By the clock of whoever compiles, days before; one that lives for a day or a month is meant to."""
    from cryptography.x509 import load_pem_x509_certificate

    pair = authority().issue("a.test", valid=timedelta(days=whole))
    end = load_pem_x509_certificate(pair.cert.encode()).not_valid_after_utc
    compilation = Compiler(clock=lambda: end - timedelta(days=left)).compile(tree(files(pair=pair)))
    assert compilation.gateway.listeners
    assert not compilation.refused
    found = [(d.code, d.severity.value, d.span and d.span.file) for d in compilation.diagnostics]
    assert found == ([("certificate-expiring", "warning", "sidegate.yaml")] if told else [])
    assert not Compiler(clock=None).compile(tree(files(pair=pair))).diagnostics, "last good sources know no clock"


def test_a_restart_with_wrong_files_serves_what_was_good(tmp_path: Path) -> None:
    """Also with a certificate that expired since: it was good once, and clients judge it for themselves."""
    root, state = write(tmp_path / "pets", files()), tmp_path / "state"
    before = Project(root, state).compile()
    for pair in (WRONG["certificate-mismatch"], WRONG["certificate-validity"]):
        write(root, {"a.cert": pair.cert, "a.key": pair.key})
        assert Project(root, state).compile().gateway == before.gateway


def test_rotation_is_one_secret_and_no_digest() -> None:
    one, two = (compiled(files(pair=pair)) for pair in (A, authority().issue("a.test")))
    assert one.digests == two.digests
    before, after = (snapshot_of(lower(c.gateway, PROFILE), encode) for c in (one, two))
    assert before.consistent() == ()
    ((url, change),) = delta(before, after).items()
    assert (url.rpartition(".")[2], change.changed) == ("Secret", ("certificate:a.cert",))


def test_whoever_is_closed_reads_no_keys(tmp_path: Path) -> None:
    root = write(tmp_path / "pets", files())
    (root / "a.key").unlink()
    closed = Project(root, closed=True)
    compilation = closed.compile()
    assert (compilation.diagnostics, compilation.gateway.secrets) == ((), ())
    assert "a.cert" not in closed.tree.files
    assert compilation.digests == compiled(files()).digests


def test_nothing_prints_a_key() -> None:
    assert A.key.splitlines()[1] not in repr(compiled(files()))


def test_a_mapping_of_listeners_merges_by_layers() -> None:
    from xds.source import Tree

    by_name = (
        "listeners:\n  edge:\n    address: 127.0.0.1:8443\n    tls: {certificates: [{cert: a.cert, key: a.key}]}\n"
    )
    given = tree({**files(by_name), "sidegate.prod.yaml": "listeners: {edge: {address: '0.0.0.0:443', http3: true}}"})
    (only,) = Compiler().compile(Tree(given.files, env="prod")).gateway.listeners
    assert (only.name, only.host, only.port, only.http3, bool(only.tls)) == ("edge", "0.0.0.0", 443, True, True)


@pytest.mark.parametrize(
    ("written", "code", "where"),
    [
        ("{url: 'http://a.test', tls: {ca: ca.pem}}", "upstream-invalid", "/services/pets/upstream/tls"),
        ("{url: 'https://a.test', tls: {ca: no.pem}}", "certificate-unreadable", "/services/pets/upstream/tls/ca"),
        ("{url: 'https://a.test', tls: {cert: a.cert}}", "settings-invalid", "/services/pets/upstream/tls"),
        ("{url: 'https://a.test', tls: {caa: ca.pem}}", "settings-unknown-key", "/services/pets/upstream/tls/caa"),
    ],
)
def test_tls_of_upstreams_has_places(written: str, code: str, where: str) -> None:
    settings = SETTINGS.replace('"http://127.0.0.1:9"', written)
    compilation = compiled({**files(), "sidegate.yaml": settings})
    assert [(d.code, d.span and d.span.pointer) for d in compilation.diagnostics] == [(code, where)]


def test_chains_are_by_sets_of_certificates() -> None:
    """A name of two certificates (one RSA, one ECDSA) has both; whoever asks for no known name has the default."""
    tls = Tls((Offered("one"), Offered("two"), Offered("rest", True)))
    names = {"one": ("a.test", "b.test"), "two": ("b.test", "*.c.test"), "rest": ("a.test",)}
    assert chains(tls, names) == (
        Chain(("two",), ("*.c.test",)),
        Chain(("one", "rest"), ("a.test",)),
        Chain(("one", "two"), ("b.test",)),
        Chain(("rest",), (), ("*.c.test", "b.test")),
    )


@pytest.mark.parametrize(
    ("pattern", "host", "is_for"),
    [
        ("a.test", "a.test", True),
        ("*.a.test", "b.a.test", True),
        ("*.a.test", "c.b.a.test", False),
        ("*.a.test", "a.test", False),
        ("*.a.test", "*.a.test", True),
        ("a.test", "*.a.test", False),
    ],
)
def test_a_wildcard_is_one_label(pattern: str, host: str, is_for: bool) -> None:
    assert covers(pattern, host) is is_for
