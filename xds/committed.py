"""a project's folder in a repository -> the texts of CI jobs and of a hook that check, compare and test what is committed.

All of them run at the repository's top, so that places are named as the repository has them.
"""

from __future__ import annotations

import re
import shlex
from pathlib import PurePosixPath

from xds import __version__

_BASIS = 'git rev-parse -q --verify "$BASE^{commit}" > /dev/null || BASE=$(git rev-parse -q --verify HEAD~1 || true)'
"""A first push has nothing before it, and a forced one what is gone: then the commit before."""

_GITHUB = """\
# Written by `sidegate init --ci github`: contracts and policies are checked, compared with what clients know, and tested.
name: NAME
on:
  pull_request:
  push:
    branches: [main, master]
permissions:
  contents: read
jobs:
  NAME:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with:
          fetch-depth: 0 # what clients know is in the history
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - name: Install
        run: python -m pip install --quiet "sidegate==VERSION"
      - name: Check
        run: |
          sidegate check FOLDER --format github
      - name: What breaks clients
        env:
          BEFORE: ${{ github.event.before }} # of a push: what the branch held until then
        run: |
          BASE=${GITHUB_BASE_REF:+origin/$GITHUB_BASE_REF}
          BASE=${BASE:-$BEFORE}
          BASIS
          sidegate diff FOLDER --merge-base "$BASE" --format github
      - name: Test
        run: |
          sidegate test FOLDER
"""

_GITLAB = """\
# Written by `sidegate init --ci gitlab`: contracts and policies are checked, compared with what clients know, and tested.
NAME:
  image: python:3.12
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
  variables:
    GIT_DEPTH: "0" # what clients know is in the history
  script:
    - python -m pip install --quiet "sidegate==VERSION"
    - |
      sidegate check FOLDER
    - |
      BASE="$CI_COMMIT_BEFORE_SHA" # of a push: what the branch held until then
      if [ -n "$CI_MERGE_REQUEST_TARGET_BRANCH_NAME" ]; then
        git fetch --quiet origin "$CI_MERGE_REQUEST_TARGET_BRANCH_NAME"
        BASE=FETCH_HEAD
      fi
      BASIS
      sidegate diff FOLDER --merge-base "$BASE" --format junit > NAME-diff.xml || (cat NAME-diff.xml; exit 1)
    - |
      sidegate test FOLDER --junit NAME-test.xml
  artifacts:
    when: always
    reports:
      junit: [NAME-diff.xml, NAME-test.xml]
"""

_HOOK = """\
#!/bin/sh
# Written by `sidegate init --hook`: what is committed is checked, compared with what clients know, and tested.
# `git commit --no-verify` passes by. What may break clients is said in the contract, with a reason: x-sidegate: {breaking: ...}
set -e
git diff --cached --quiet -- FOLDER && exit 0
top=$PWD tree=$(git rev-parse --short "$(git write-tree)") staged=$(mktemp -d)
trap 'rm -rf "$staged"' EXIT
git ls-files -z -- FOLDER | git checkout-index -z --stdin --prefix="$staged/" # what is staged, not what is edited
cd "$staged"
sidegate check FOLDER
(cd "$top" && cd FOLDER && sidegate diff "$tree:./" --merge-base)
sidegate test FOLDER
"""


def name_of(folder: PurePosixPath) -> str:
    """What a job of a folder is called, relative to the repository: `sidegate`, `sidegate-hello` of hello/sidegate."""
    parts = folder.parts[:-1] if folder.name == "sidegate" else folder.parts
    return "-".join(("sidegate", *(re.sub(r"[^A-Za-z0-9]+", "-", part).strip("-") for part in parts)))


def github(folder: PurePosixPath) -> str:
    """A workflow of GitHub Actions."""
    return _filled(_GITHUB, folder)


def gitlab(folder: PurePosixPath) -> str:
    """A job of GitLab CI."""
    return _filled(_GITLAB, folder)


def hook(folder: PurePosixPath) -> str:
    """A pre-commit hook (githooks(5)), which git runs at the work tree's top."""
    return _filled(_HOOK, folder)


def included(folder: PurePosixPath) -> str:
    """What .gitlab-ci.yml says."""
    return f"include:\n  - local: .gitlab/{name_of(folder)}.yml\n"


def _filled(text: str, folder: PurePosixPath) -> str:
    words = {
        "BASIS": _BASIS,
        "NAME": name_of(folder),
        "VERSION": __version__,
        "FOLDER": shlex.quote(str(folder)),
    }
    return re.sub(r"\b(BASIS|NAME|VERSION|FOLDER)\b", lambda found: words[found[1]], text)
