"""a project's folder -> Tree, for verbs that look at a project and start nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from xds.failure import CannotRun
from xds.settings import FILE, key_files
from xds.source import Tree, load, read_tree

NOBODYS_KEYS = (
    b'{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","kid":"nobody",'
    b'"x":"iEBvMSkfRnSrX16A3-MppHLDlvXxnfeiMdu8N1PuI8I","y":"xJG6pAf2fyHABJdvCl48_p8bRvQRSuXVvkbsq08m1KM"}]}'
)
"""A key set that accepts no token: `x` is the SHA-256 of `sidegate: nobody holds this key 0`, and `y` follows from the
curve's equation, so that nobody knows the private half. It stands for keys that `sidegate up` has yet to make."""


def read_offline(root: Path) -> Tree:
    """Read a project as `sidegate up` would find it.

    Keys that `dev.keys` in sidegate.yaml names are made at each start of `sidegate up`; until then a key set that accepts
    no token stands in for them. Raises CannotRun if the folder is not there.
    """
    if not root.is_dir():
        raise CannotRun(f"{root} is not a folder. Next: sidegate init {root} --service NAME")
    try:
        settings = (root / FILE).read_bytes()
    except OSError:
        settings = None  # read_tree says what is wrong with it
    tree = read_tree(root, None, key_files(settings))
    keys = _dev_keys(settings)
    if keys is None or keys in tree.files:
        return tree
    problems = tuple(p for p in tree.problems if p.span is None or p.span.file != keys)
    return replace(tree, files=dict(sorted({**tree.files, keys: NOBODYS_KEYS}.items())), problems=problems)


def _dev_keys(settings: bytes | None) -> str | None:
    document = load(FILE, settings)[0] if settings is not None else None
    dev = document.value.get("dev") if document and isinstance(document.value, dict) else None
    keys = dev.get("keys") if isinstance(dev, dict) else None
    return keys if isinstance(keys, str) else None
