"""What once compiled goes on: through broken files, empty folders, and restarts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.projects import CONTRACT, SETTINGS, pets, write
from xds.project.project import Project

BROKEN = CONTRACT.replace("type: integer", "type: integr")
NARROW = CONTRACT.replace("maximum: 100", "maximum: 50")


@pytest.fixture
def project(tmp_path):
    root = write(tmp_path / "project", pets())
    made = Project(root, tmp_path / "state")
    made.compile()
    return made


def spoil_contract(root):
    (root / "contracts/pets/v1.yaml").write_text(BROKEN)


def spoil_policy(root):
    (root / "policies/pets/authz.rego").write_text("package pets.authz\n\nallow if {")


def spoil_settings(root):
    (root / "sidegate.yaml").write_text("services: [")


def empty_contracts(root):
    shutil.rmtree(root / "contracts/pets")


def lose_everything(root):
    shutil.rmtree(root)
    root.mkdir()


def lose_keys(root):
    (root / "keys.json").unlink()


SPOILERS = [spoil_contract, spoil_policy, spoil_settings, empty_contracts, lose_everything, lose_keys]


@pytest.mark.parametrize("spoil", SPOILERS)
def test_a_broken_project_serves_what_it_served(project, spoil):
    good = project.compile()
    spoil(project.root)
    now = project.compile()
    assert any(d.is_error for d in now.diagnostics)
    assert now.refused == {"pets"}
    assert now.digests == good.digests
    assert now.gateway == good.gateway
    assert now.bundles == good.bundles


@pytest.mark.parametrize("spoil", SPOILERS)
def test_also_after_a_restart(project, spoil):
    good = project.compile()
    spoil(project.root)
    again = Project(project.root, project.state).compile()
    assert again.refused == {"pets"}
    assert again.digests == good.digests
    assert {s: b.revision for s, b in again.bundles.items()} == {s: b.revision for s, b in good.bundles.items()}


def test_one_services_trouble_holds_up_no_other(project):
    other = CONTRACT.replace("/pets/v1", "/toys/v1")
    settings = SETTINGS.replace("pets: {", 'toys: {upstream: "http://127.0.0.1:9"}, pets: {', 1)
    write(project.root, {"contracts/toys/v1.yaml": other, "sidegate.yaml": settings})
    before = project.compile().digests
    spoil_contract(project.root)
    write(project.root, {"contracts/toys/v1.yaml": other.replace("maximum: 100", "maximum: 10")})
    after = project.compile()
    assert after.digests["pets/v1"] == before["pets/v1"]
    assert after.digests["toys/v1"] != before["toys/v1"]
    assert after.refused == {"pets"}


def test_a_service_that_is_taken_away_is_gone(project):
    settings = SETTINGS.replace("pets: {", 'toys: {upstream: "http://127.0.0.1:9"}, pets: {', 1)
    write(project.root, {"contracts/toys/v1.yaml": CONTRACT.replace("/pets/v1", "/toys/v1"), "sidegate.yaml": settings})
    assert set(project.compile().digests) == {"pets/v1", "toys/v1"}
    shutil.rmtree(project.root / "contracts/toys")
    assert set(project.compile().digests) == {"pets/v1"}


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 not really", b"\0" * 4096])
def test_damaged_leftovers_serve_nothing(project, damage):
    for kept in (project.state / "last-good").iterdir():
        kept.write_bytes(damage)
    spoil_contract(project.root)
    again = Project(project.root, project.state).compile()
    assert again.digests == {}
    assert again.refused == {"pets"}


def test_a_disk_that_refuses_changes_nothing(tmp_path):
    root = write(tmp_path / "project", pets())
    (tmp_path / "state").write_text("a file where a folder should be")
    assert Project(root, tmp_path / "state").compile().digests.keys() == {"pets/v1"}


@pytest.mark.parametrize("settings", ["", "services: [", None, "opa: {url: nonsense}\n" + SETTINGS])
def test_settings_that_break_leave_the_engine_that_decided(tmp_path, settings):
    """Decisions never move from an OPA server to the embedded engine because a file was cut off."""
    root = write(tmp_path / "project", pets(settings=SETTINGS + "opa: {url: 'http://127.0.0.1:8181'}\n"))
    project = Project(root, tmp_path / "state")
    assert project.compile().settings.opa == "http://127.0.0.1:8181"
    if settings is None:
        (root / "sidegate.yaml").unlink()
    else:
        (root / "sidegate.yaml").write_text(settings)
    for again in (project, Project(root, tmp_path / "state")):
        now = again.compile()
        assert now.settings.opa == "http://127.0.0.1:8181"
        assert now.digests


def test_the_form_before_is_another_one_also_after_a_restart(tmp_path):
    """A companion that starts with a form that its control plane holds back goes to the one before it, not to that one."""
    root = write(tmp_path / "project", pets())
    first = Project(root, tmp_path / "state").compile().digests["pets/v1"]
    write(root, {"contracts/pets/v1.yaml": NARROW})
    second = Project(root, tmp_path / "state").compile().digests["pets/v1"]
    assert first != second
    write(root, {"sidegate.yaml": SETTINGS.replace("publish: {breaking: allow}\n", "")})
    again = Project(root, tmp_path / "state")
    assert again.compile().digests["pets/v1"] == second
    again.compatibility.withheld = {"pets/v1": second}
    assert again.take_back("pets")
    assert again.compile().digests["pets/v1"] == first
    assert not again.take_back("pets"), "one is kept, and the same is not taken back twice"


def test_what_is_deleted_leaves_nothing_behind(tmp_path):
    other = CONTRACT.replace("/pets/v1", "/toys/v1")
    settings = SETTINGS.replace("pets: {", 'toys: {upstream: "http://127.0.0.1:9"}, pets: {', 1)
    root = write(tmp_path / "project", {**pets(), "contracts/toys/v1.yaml": other, "sidegate.yaml": settings})
    project = Project(root, tmp_path / "state")
    project.compile()
    write(root, {"contracts/toys/v1.yaml": other.replace("maximum: 100", "maximum: 50")})
    project.compile()
    kept = tmp_path / "state/last-good"
    assert {p.name for p in kept.iterdir()} == {"pets.zip", "toys.zip", "toys.former"}
    shutil.rmtree(root / "contracts/toys")
    write(root, {"sidegate.yaml": SETTINGS})
    project.compile()
    assert {p.name for p in kept.iterdir()} == {"pets.zip"}


def test_a_form_is_there_at_every_moment(project, monkeypatch):
    """Whatever ends the process, or the disk, while a new form is put in its place."""
    good = project.compile().digests
    replace = Path.replace

    def ends(self, target):
        if target.suffix == ".zip":
            raise OSError("no space")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", ends)
    write(project.root, {"contracts/pets/v1.yaml": NARROW})
    assert project.compile().digests != good
    spoil_contract(project.root)
    assert Project(project.root, project.state).compile().digests == good


def test_what_was_kept_and_is_gone_is_kept_anew(project):
    """Whoever empties the state's folder takes away what was, and not what comes."""
    shutil.rmtree(project.state / "last-good")
    (project.root / "contracts/pets/v1.yaml").write_text(CONTRACT.replace("maximum: 100", "maximum: 200"))
    good = project.compile()
    assert not good.refused
    assert [path.name for path in (project.state / "last-good").iterdir()] == ["pets.zip"]
    spoil_contract(project.root)
    assert Project(project.root, project.state).compile().digests == good.digests
