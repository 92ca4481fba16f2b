"""A project's folder is read whole, through the links that Kubernetes makes, and never beyond itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from xds.source import read_tree


def write(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def codes(root: Path) -> list[tuple[str, str]]:
    return [(d.code, str(d.span)) for d in read_tree(root).problems]


def test_reads_what_belongs_to_a_project(tmp_path: Path) -> None:
    write(
        tmp_path,
        contracts__pets__v1_dot_yaml="a",
        contracts__pets__notes_dot_txt="no",
        policies__pets__authz_dot_rego="b",
        policies__pets__data_dot_json="{}",
        policies__pets__other_dot_json="no",
        sidegate_dot_yaml="c",
        keys__jwks_dot_json="d",
    )
    tree = read_tree(tmp_path, extra=["keys/jwks.json"])
    assert list(tree.files) == [
        "contracts/pets/v1.yaml",
        "keys/jwks.json",
        "policies/pets/authz.rego",
        "policies/pets/data.json",
        "sidegate.yaml",
    ]
    assert tree.problems == ()


def test_an_empty_folder_is_no_problem(tmp_path: Path) -> None:
    tree = read_tree(tmp_path)
    assert (dict(tree.files), tree.problems) == ({}, ())


def test_kubernetes_mount_is_read_once_through_its_links(tmp_path: Path) -> None:
    mount = tmp_path / "contracts" / "pets"
    write(mount, **{"..2026_11_22__v1_dot_yaml": "new", "..2026_11_21__v1_dot_yaml": "old"})
    (mount / "..data").symlink_to("..2026_11_22")
    (mount / "v1.yaml").symlink_to("..data/v1.yaml")
    tree = read_tree(tmp_path)
    assert tree.files == {"contracts/pets/v1.yaml": b"new"}
    assert tree.problems == ()


def test_a_mount_that_is_a_link_itself(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", pets__v1_dot_yaml="a")
    project = tmp_path / "project"
    project.mkdir()
    (project / "contracts").symlink_to(tmp_path / "elsewhere")
    assert list(read_tree(project).files) == ["contracts/pets/v1.yaml"]


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "../../secret.yaml", "../../policies/pets/data.json", "../../outside"]
)
def test_a_link_that_leads_out_is_a_problem(tmp_path: Path, target: str) -> None:
    write(tmp_path, secret_dot_yaml="s", policies__pets__data_dot_json="{}", outside__v1_dot_yaml="o")
    link = tmp_path / "contracts" / "pets" / ("folder" if target.endswith("outside") else "v1.yaml")
    link.parent.mkdir(parents=True)
    link.symlink_to(target)
    tree = read_tree(tmp_path)
    assert [(d.code, str(d.span)) for d in tree.problems] == [("path-escapes", f"contracts/pets/{link.name}")]
    assert not any(name.startswith("contracts/") for name in tree.files)


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    write(tmp_path, contracts__pets__v1_dot_yaml="a")
    (tmp_path / "contracts" / "pets" / "again").symlink_to("..")
    (tmp_path / "contracts" / "pets" / "v2.yaml").symlink_to("v2.yaml")
    assert list(read_tree(tmp_path).files) == ["contracts/pets/v1.yaml"]
    assert codes(tmp_path) == [("file-unreadable", "contracts/pets/v2.yaml")]


def test_a_named_pipe_and_a_dangling_link_are_said_and_do_not_block(tmp_path: Path) -> None:
    write(tmp_path, contracts__pets__v1_dot_yaml="a")
    os.mkfifo(tmp_path / "contracts" / "pets" / "pipe.yaml")
    (tmp_path / "contracts" / "pets" / "gone.yaml").symlink_to("nowhere")
    assert codes(tmp_path) == [
        ("file-unreadable", "contracts/pets/gone.yaml"),
        ("file-unreadable", "contracts/pets/pipe.yaml"),
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_what_may_not_be_read_is_said(tmp_path: Path) -> None:
    write(tmp_path, contracts__pets__v1_dot_yaml="a", contracts__cats__v1_dot_yaml="b")
    (tmp_path / "contracts" / "pets").chmod(0)
    (tmp_path / "contracts" / "cats" / "v1.yaml").chmod(0)
    try:
        assert codes(tmp_path) == [("file-unreadable", "contracts/cats/v1.yaml"), ("file-unreadable", "contracts/pets")]
    finally:
        (tmp_path / "contracts" / "pets").chmod(0o700)


def test_contracts_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "contracts").write_text("x")
    assert codes(tmp_path) == [("file-unreadable", "contracts")]


def test_an_extra_file_may_not_lie_outside(tmp_path: Path) -> None:
    project = write(tmp_path / "project", sidegate_dot_yaml="")
    (tmp_path / "jwks.json").write_text("{}")
    tree = read_tree(project, extra=["../jwks.json", "missing.json"])
    assert [(d.code, str(d.span)) for d in tree.problems] == [
        ("path-escapes", "../jwks.json"),
        ("file-unreadable", "missing.json"),
    ]


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    path = write(tmp_path, contracts__pets__v1_dot_yaml="") / "contracts" / "pets" / "v1.yaml"
    os.truncate(path, 10_000_000_000)
    assert codes(tmp_path) == [("document-budget", "contracts/pets/v1.yaml")]


def test_bytes_of_unchanged_files_are_the_same_object(tmp_path: Path) -> None:
    write(tmp_path, contracts__pets__v1_dot_yaml="a" * 50, contracts__pets__v2_dot_yaml="b" * 50)
    before = read_tree(tmp_path)
    (tmp_path / "contracts" / "pets" / "v2.yaml").write_text("c" * 51)
    after = read_tree(tmp_path, before)
    assert after.files["contracts/pets/v1.yaml"] is before.files["contracts/pets/v1.yaml"]
    assert after.files["contracts/pets/v2.yaml"] == b"c" * 51


def test_an_edit_within_one_tick_of_the_clock_is_seen(tmp_path: Path) -> None:
    """Same size, same inode, and the times set back to what they were: a file that was read so young is read again."""
    file = write(tmp_path, contracts__pets__v1_dot_yaml="a") / "contracts" / "pets" / "v1.yaml"
    status = file.stat()
    before = read_tree(tmp_path)
    file.write_text("b")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert read_tree(tmp_path, before).files == {"contracts/pets/v1.yaml": b"b"}


@pytest.mark.parametrize("settled", [True, False])
def test_files_are_told_by_their_stamps_once_they_have_settled(
    tmp_path: Path, settled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path, contracts__pets__v1_dot_yaml="a") / "contracts" / "pets" / "v1.yaml"
    monkeypatch.setattr("time.time_ns", lambda: file.stat().st_ctime_ns + (3_000_000_000 if settled else 1_000_000_000))
    before = read_tree(tmp_path)
    opened: list[object] = []
    real = os.open

    def noted(path: str, flags: int) -> int:
        opened.append(path)
        return real(path, flags)

    monkeypatch.setattr(os, "open", noted)
    after = read_tree(tmp_path, before)
    assert opened == ([] if settled else [str(file)])
    assert after.files["contracts/pets/v1.yaml"] is before.files["contracts/pets/v1.yaml"]
    file.write_text("b")
    assert read_tree(tmp_path, after).files == {"contracts/pets/v1.yaml": b"b"}


def test_a_file_put_in_the_place_of_another_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, contracts__pets__v1_dot_yaml="a") / "contracts" / "pets" / "v1.yaml"
    monkeypatch.setattr("time.time_ns", lambda: file.stat().st_ctime_ns + 3_000_000_000)
    before, status = read_tree(tmp_path), file.stat()
    other = file.with_name("other")
    other.write_text("b")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(file)
    assert read_tree(tmp_path, before).files == {"contracts/pets/v1.yaml": b"b"}
    file.unlink()
    assert read_tree(tmp_path, before).files == {}
    file.symlink_to("/etc/hostname")
    assert read_tree(tmp_path, before).files == {}
