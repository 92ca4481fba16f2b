"""`sidegate init`: a service's name -> its contract, its policy with a test, and its line in sidegate.yaml."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path, PurePosixPath

from xds.failure import CannotRun, Misused
from xds.handshake import RESERVED
from xds.up.stub import POLICY as ALLOW
from xds.up.stub import POLICY_TEST as ALLOW_TEST
from xds.up.stub import package_of

_NAME = re.compile(r"[a-z][a-z0-9-]*")

CONTRACT = """openapi: 3.0.3
info:
  title: {title}
  version: 1.0.0
servers:
  - url: /{name}/v1

paths:
  /hello/{{who}}:
    get:
      operationId: hello
      summary: A greeting
      security: []          # no token; say `- bearer: []` here and configure `bearer` in sidegate.yaml to ask for one
      parameters:
        - name: who
          in: path
          required: true
          schema: {{type: string, maxLength: 64}}
          example: rita
        - name: times
          in: query
          schema: {{type: integer, minimum: 1, maximum: 10}}
      responses:
        "200":
          description: The greeting
          content:
            text/plain:
              schema: {{type: string}}
              example: Hello, rita!
"""

POLICY = """# Who may do what with {name}. Whatever no rule allows is refused.
package {package}.authz

default allow := false

allow if {{
	input.sidegate.operation_id == "hello"
	not unwelcome
}}

unwelcome if input.sidegate.params.path.who in {{"nobody"}}

# Why not: what the caller is told, and what the log says.
reasons contains "nobody is not greeted" if unwelcome
"""

POLICY_TEST = """package {package}.authz_test

import data.{package}.authz

hello(who) := {{"sidegate": {{"operation_id": "hello", "params": {{"path": {{"who": who}}}}}}}}

test_people_are_greeted if authz.allow with input as hello("rita")

test_nobody_is_not if {{
	not authz.allow with input as hello("nobody")
	authz.reasons == {{"nobody is not greeted"}} with input as hello("nobody")
}}

test_new_operations_are_closed if {{
	not authz.allow with input as {{"sidegate": {{"operation_id": "notThoughtOf"}}}}
}}
"""

SETTINGS = """services:
  {name}: {{upstream: "{upstream}"}}
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    parser.add_argument("dir", nargs="?", type=Path, default=Path(), metavar="DIR", help="the project's folder")
    parser.add_argument("--service", metavar="NAME", help="lower-case letters, digits and hyphens")
    parser.add_argument("--upstream", default="http://127.0.0.1:9000", metavar="URL", help="where the service runs")
    parser.add_argument("--contract", type=Path, help="an OpenAPI document to begin with, instead of a stub")
    parser.add_argument("--ci", choices=("github", "gitlab"), help="write a job that checks, compares and tests")
    parser.add_argument("--hook", action="store_true", help="write a git hook that does so before each commit")
    parser.epilog = "Existing files are never overwritten: then nothing is written at all."


def run(options: argparse.Namespace) -> int:
    """Write the files and say what to do next."""
    if options.ci or options.hook:
        return _committed(options)
    if options.service is None:
        raise Misused("say what the service is called. Next: sidegate init --service NAME")
    name: str = options.service
    if not _NAME.fullmatch(name):
        raise Misused(f"'{name}' is no name for a service: lower-case letters, digits and hyphens, a letter first")
    if name in RESERVED:
        raise Misused(f"no service can be called {name}. Next: another name")
    files = _files(name, options.upstream, options.contract)
    settings = options.dir / "sidegate.yaml"
    if there := settings.is_file():
        del files["sidegate.yaml"]
    if taken := [file for file in files if (options.dir / file).exists()]:
        raise CannotRun(f"{options.dir / taken[0]} is there already; nothing was written")
    for file, data in files.items():
        path = options.dir / file
        _write(path, data)
        print(f"wrote {path}")
    if there:
        line = SETTINGS.format(name=name, upstream=options.upstream).splitlines()[1]
        print(f"\n{settings} is yours: add there, under `services`:\n{line}")
    where = "" if options.dir == Path() else f" {options.dir}"
    print(f"\nNext: sidegate check{where}; then start your service on {options.upstream}, and sidegate up{where}")
    return 0


def _committed(options: argparse.Namespace) -> int:
    """Write what runs in the service's own repository."""
    from xds import committed
    from xds.revisions import git

    if options.service is not None:
        raise Misused("--ci and --hook are for a folder that is there. Next: sidegate init --service NAME, then again")
    if not (options.dir / "contracts").is_dir():
        raise CannotRun(f"{options.dir} has no contracts/; say where the project is. Next: sidegate init DIR ...")
    root, inside = _place(options.dir)
    name = committed.name_of(inside)
    files: dict[Path, str] = {}
    if options.ci == "github":
        files[root / f".github/workflows/{name}.yml"] = committed.github(inside)
    if options.ci == "gitlab":
        files[root / f".gitlab/{name}.yml"] = committed.gitlab(inside)
        if not (root / ".gitlab-ci.yml").exists():
            files[root / ".gitlab-ci.yml"] = committed.included(inside)
    hook = git.hooks(root) / "pre-commit" if options.hook else None
    if hook is not None:
        files[hook] = committed.hook(inside)
    if taken := [path for path in files if path.exists()]:
        raise CannotRun(f"{taken[0]} is there already; nothing was written")
    for path, text in files.items():
        _write(path, text.encode())
        print(f"wrote {path}")
    if hook is not None:
        hook.chmod(0o755)
    if options.ci == "gitlab" and root / ".gitlab-ci.yml" not in files:
        print(f"\n{root / '.gitlab-ci.yml'} is yours: add there\n{committed.included(inside)}", end="")
    return 0


def _place(folder: Path) -> tuple[Path, PurePosixPath]:
    """The top of the repository that a folder is in, as a person here would call it, and the folder in it."""
    from xds.revisions import git

    top, here = git.top(folder), folder.resolve()
    if top is None:
        return folder, PurePosixPath()
    return Path(os.path.relpath(top.resolve())), PurePosixPath(here.relative_to(top.resolve()).as_posix())


def _files(name: str, upstream: str, contract: Path | None) -> dict[str, bytes]:
    words = {"name": name, "title": name.capitalize(), "package": package_of(name), "upstream": upstream}
    files = {
        f"contracts/{name}/v1.yaml": CONTRACT,
        f"policies/{name}/authz.rego": POLICY,
        f"policies/{name}/authz_test.rego": POLICY_TEST,
        "sidegate.yaml": SETTINGS,
    }
    made = {file: text.format(**words).encode() for file, text in files.items()}
    return made if contract is None else _around(contract, name, words, made)


def _around(contract: Path, name: str, words: dict[str, str], made: dict[str, bytes]) -> dict[str, bytes]:
    """The files around a contract that is there: it is copied with its parts, and the stub allows what it allows."""
    from xds.project.single import read_single

    single = read_single(contract)
    del made[f"contracts/{name}/v1.yaml"]
    folder = single.root.rpartition("/")[0]
    copied = {
        f"contracts/{name}/{single.version}{file.removeprefix(folder)}": data for file, data in single.files.items()
    }
    made[f"policies/{name}/authz.rego"] = ALLOW.format(**words).encode()
    made[f"policies/{name}/authz_test.rego"] = ALLOW_TEST.format(**words).encode()
    return {**copied, **made}


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:  # never over a file that came in between
            file.write(data)
    except OSError as error:
        raise CannotRun(f"{path} cannot be written: {(error.strerror or str(error)).lower()}") from error
