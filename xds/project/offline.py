"""a project's folder -> Tree, for verbs that look at a project and start nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from xds.diagnostics import did_you_mean
from xds.failure import CannotRun, Misused
from xds.settings import envs, key_files, layer_file, settings_document
from xds.settings.layers import is_env
from xds.source import Tree, read_tree

NOBODYS_KEYS = (
    b'{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","kid":"nobody",'
    b'"x":"iEBvMSkfRnSrX16A3-MppHLDlvXxnfeiMdu8N1PuI8I","y":"xJG6pAf2fyHABJdvCl48_p8bRvQRSuXVvkbsq08m1KM"}]}'
)
"""A key set that accepts no token: `x` is the SHA-256 of `sidegate: nobody holds this key 0`, and `y` follows from the
curve's equation, so that nobody knows the private half. It stands for keys that `sidegate up` has yet to make."""


def read_offline(root: Path, env: str | None = None) -> Tree:
    """Read a project as `sidegate up --env ENV` would find it.

    Keys that `dev.keys` in sidegate.yaml names are made at each start of `sidegate up`; until then a key set that accepts
    no token stands in for them. Raises CannotRun if the folder is not there, or has no layer for the environment.
    """
    if not root.is_dir():
        raise CannotRun(f"{root} is not a folder. Next: sidegate init {root} --service NAME")
    if env is not None:
        require_layer(root, env)
    tree = read_tree(root, None, lambda settings: key_files(settings, env), env)
    keys = _dev_keys(tree.files, env)
    if keys is None or keys in tree.files:
        return tree
    problems = tuple(p for p in tree.problems if p.span is None or p.span.file != keys)
    return replace(tree, files=dict(sorted({**tree.files, keys: NOBODYS_KEYS}.items())), problems=problems)


def require_layer(root: Path, env: str) -> None:
    """Raise CannotRun if a project has no file for an environment, Misused if nothing can be called that."""
    if not is_env(env):
        raise Misused(f"'{env}' is no name of an environment: letters, digits, `-` and `_`")
    if (root / layer_file(env)).is_file():
        return
    known = envs(path.name for path in root.glob("sidegate.*.yaml"))
    advice = did_you_mean(env, known) or "write it: what is different there from sidegate.yaml"
    raise CannotRun(f"there is no {root / layer_file(env)} for --env {env}; {advice}")


def _dev_keys(settings: Mapping[str, bytes], env: str | None) -> str | None:
    document, _ = settings_document(settings, env)
    dev = document.value.get("dev") if document and isinstance(document.value, dict) else None
    keys = dev.get("keys") if isinstance(dev, dict) else None
    return keys if isinstance(keys, str) else None
