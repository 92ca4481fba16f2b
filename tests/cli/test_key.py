"""`sidegate key`: a key is printed once, its hash is kept, and a revoked one is gone."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest

from tests.cli.command import sidegate

SETTINGS = "security:\n  key: {keys: {file: keys/consumers.yaml}}\n  users: {keys: {file: keys/users.yaml}}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "sidegate.yaml").write_text(SETTINGS)
    return tmp_path


def test_a_key_is_printed_and_its_hash_kept(project: Path) -> None:
    done = sidegate("key", "new", "mobile", "--dir", str(project), "--scheme", "key")
    key, path = done.stdout.strip(), project / "keys/consumers.yaml"
    assert (done.returncode, len(key)) == (0, 43)
    assert key not in done.stderr
    assert hashlib.sha256(key.encode()).hexdigest() in path.read_text()
    assert key not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    other = sidegate("key", "new", "mobile", "--dir", str(project), "--scheme", "key").stdout.strip()
    listed = sidegate("key", "list", "--dir", str(project), "--scheme", "key").stdout.splitlines()
    assert len(listed) == 2
    assert all(line.startswith("mobile ") for line in listed)
    digits = hashlib.sha256(other.encode()).hexdigest()[:12]
    assert (
        sidegate("key", "revoke", "mobile", "--dir", str(project), "--scheme", "key", "--hash", digits).returncode == 0
    )
    assert digits not in path.read_text()
    assert sidegate("key", "revoke", "mobile", "--dir", str(project), "--scheme", "key").returncode == 0
    assert sidegate("key", "revoke", "mobile", "--dir", str(project), "--scheme", "key").returncode == 1


def test_a_user_has_one_password(project: Path) -> None:
    done = sidegate("key", "new", "--basic", "ada", "--dir", str(project), "--scheme", "users")
    presented = f"ada:{done.stdout.strip()}".encode()
    assert hashlib.sha256(presented).hexdigest() in (project / "keys/users.yaml").read_text()
    again = sidegate("key", "new", "--basic", "ada", "--dir", str(project), "--scheme", "users")
    assert (again.returncode, "revoke ada" in again.stderr) == (3, True)


def test_the_contracts_say_whether_it_is_a_password(project: Path) -> None:
    """A key would sign nobody in by HTTP basic, nor a password as a key."""
    schemes = "users: {type: http, scheme: basic}, key: {type: apiKey, in: header, name: X-Key}"
    (project / "contracts/pets").mkdir(parents=True)
    (project / "contracts/pets/v1.yaml").write_text(f"components: {{securitySchemes: {{{schemes}}}}}\n")
    (project / "contracts/pets/v2.yaml").write_text("[")
    done = sidegate("key", "new", "ada", "--dir", str(project), "--scheme", "users")
    presented = f"ada:{done.stdout.strip()}".encode()
    assert hashlib.sha256(presented).hexdigest() in (project / "keys/users.yaml").read_text()
    refused = sidegate("key", "new", "ada", "--basic", "--dir", str(project), "--scheme", "key")
    assert (refused.returncode, "`key` as an API key" in refused.stderr) == (2, True)
    assert not (project / "keys/consumers.yaml").exists()
    assert sidegate("key", "new", "ada", "--dir", str(project), "--scheme", "key").returncode == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("new", "mobile"), 2, "key, users"),
        (("new", "mobile", "--scheme", "kay"), 2, "did you mean 'key'?"),
        (("new", "a b", "--scheme", "key"), 2, "cannot be a consumer"),
    ],
)
def test_what_makes_no_sense(project: Path, words: tuple[str, ...], code: int, said: str) -> None:
    done = sidegate("key", *words, "--dir", str(project))
    assert (done.returncode, said in done.stderr) == (code, True)


def test_no_file_outside_the_project(project: Path) -> None:
    (project / "sidegate.yaml").write_text("security: {key: {keys: {file: ../keys.yaml}}}\n")
    assert sidegate("key", "new", "mobile", "--dir", str(project)).returncode == 3
    assert not (project.parent / "keys.yaml").exists()
