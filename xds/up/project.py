"""options -> Ground: the project's folder, its state folder, and what `dev` asks for."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from xds.compile import lay_out
from xds.contract import Cache, compile_contract
from xds.dev import Dev, parse_dev
from xds.diagnostics import Diagnostic
from xds.failure import CannotRun, Misused
from xds.model.listeners import Listener
from xds.project.offline import read_offline
from xds.project.single import Single, read_single
from xds.settings import FILE, parse_settings
from xds.settings.publishing import ALLOW
from xds.up.stub import POLICY, package_of

DEV_KEYS = ".sidegate/dev/jwks.json"
POLL_S = 0.1
"""How often the files of a single contract are looked at; their copy is watched by the control plane."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What the supervisor stands on.

    `root` is the project; `state` is where keys, logs and last good sources are kept. `single` is the contract that the
    project was made for, if it was; `name` gives the user's own name for a file, `command` what was called.
    """

    root: Path
    state: Path
    dev: Dev
    said: tuple[Diagnostic, ...] = ()
    single: Single | None = None
    name: Callable[[str], str] = str
    command: str = "sidegate up"
    env: str | None = None
    listeners: tuple[Listener, ...] = ()


@contextlib.contextmanager
def ground(path: Path, upstream: str | None, env: str | None = None) -> Iterator[Ground]:
    """The ground for a project's folder, or for one contract and its upstream. Raises CannotRun.

    A second `sidegate up` on the same folder is refused: both would write the folder's keys.
    """
    if path.is_dir():
        if upstream is not None:
            raise Misused(f"--upstream goes with one contract; {path} is a folder, and {FILE} names its upstreams")
        with _locked(_state(path)) as state:
            yield _of_folder(path, state, env)
    elif path.is_file() and env is not None:
        raise Misused(f"--env layers a folder's {FILE}; {path} is one contract")
    elif path.is_file():
        if upstream is None:
            raise Misused(f"where does {path} run? Next: sidegate up {path} --upstream http://127.0.0.1:9000")
        scratch = Path(tempfile.mkdtemp(prefix="sidegate-"))
        try:
            yield _of_contract(path, upstream, scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    else:
        raise CannotRun(f"there is no {path}. Next: sidegate init {path} --service NAME")


def _of_folder(path: Path, state: Path, env: str | None) -> Ground:
    tree = read_offline(path, env)
    if not lay_out(tree)[0]:
        raise CannotRun(
            f"{path.absolute()} has no contract: contracts/<service>/<version>.yaml. "
            f"Next: sidegate init {path} --service NAME"
        )
    dev, said = parse_dev(tree.files, env)
    listeners = parse_settings(tree.files, env)[0].listeners
    command = f"sidegate up {path}" + (f" --env {env}" if env else "")
    return Ground(path.absolute(), state, dev, said, command=command, env=env, listeners=listeners)


def _of_contract(path: Path, upstream: str, scratch: Path) -> Ground:
    single = read_single(path)
    _copy(single, scratch)
    policy = scratch / "policies" / single.service / "authz.rego"
    policy.parent.mkdir(parents=True)
    policy.write_text(POLICY.format(package=package_of(single.service)))
    contract = compile_contract(
        single.files, single.root, service=single.service, version=single.version, cache=Cache()
    )
    names = sorted({c.scheme for o in contract.operations for a in o.security for c in a.credentials})
    scopes = sorted({s for o in contract.operations for a in o.security for c in a.credentials for s in c.scopes})
    issuer = {"issuer": "https://issuer.test", "audiences": [single.service], "jwks": {"file": DEV_KEYS}}
    settings = {
        "services": {single.service: {"upstream": upstream}},
        "security": dict.fromkeys(names, issuer),
        "dev": {"breaking": ALLOW}
        | (
            {"keys": DEV_KEYS, "tokens": {"developer": {"sub": "developer", "scope": " ".join(scopes)}}}
            if names
            else {}
        ),
    }
    (scratch / FILE).write_text(json.dumps(settings))  # JSON is YAML
    dev, _ = parse_dev({FILE: (scratch / FILE).read_bytes()})
    state = _state(scratch)
    command = f"sidegate up {path} --upstream {upstream}"
    return Ground(scratch, state, dev, (), single, lambda file: single.shown.get(file, file), command)


async def follow(single: Single, root: Path) -> None:
    """Bring every change of a contract outside the project into it, until cancelled."""
    seen = _stamps(single)
    while True:
        await asyncio.sleep(POLL_S)
        if (now := _stamps(single)) == seen:
            continue
        with contextlib.suppress(CannotRun):  # an editor is just replacing the file: next time
            single = await asyncio.to_thread(read_single, next(iter(single.sources.values())))
            await asyncio.to_thread(_copy, single, root)
            seen = now


def _stamps(single: Single) -> list[tuple[int, int]]:
    found = []
    for path in single.sources.values():
        try:
            status = path.stat()
        except OSError:
            found.append((0, 0))
        else:
            found.append((status.st_mtime_ns, status.st_size))
    return found


def _copy(single: Single, root: Path) -> None:
    """Parts first, the contract last, each in one step: the watcher never sees half a contract."""
    for name in reversed(list(single.files)):
        target = root / name
        if target.exists() and target.read_bytes() == single.files[name]:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_name(f".{target.name}.new")
        scratch.write_bytes(single.files[name])
        scratch.replace(target)


def _state(root: Path) -> Path:
    """The state folder: in the project, or a temporary one if the project cannot be written to."""
    state = root.absolute() / ".sidegate"
    try:
        state.mkdir(mode=0o700, exist_ok=True)
        if state.stat().st_mode & 0o077:
            state.chmod(0o700)  # the last good settings may hold private keys
        if os.access(state, os.W_OK):
            return state
    except OSError:
        pass  # a read-only project: nothing of it needs to be written
    return Path(tempfile.mkdtemp(prefix="sidegate-state-"))


@contextlib.contextmanager
def _locked(state: Path) -> Iterator[Path]:
    import fcntl

    with (state / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            holder = lock.read().strip()
            advice = f"kill {holder}" if holder.isdigit() else "stop it"
            raise CannotRun(
                f"`sidegate up` runs in this folder already, as process {holder}. Next: {advice}"
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield state
