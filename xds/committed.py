"""the texts of CI jobs and of a hook that check, compare and test what is committed in a service's own repository."""

from __future__ import annotations

from xds import __version__

GITHUB = f"""\
# Written by `sidegate init --ci github`: contracts and policies are checked, compared with what clients know, and tested.
name: sidegate
on:
  pull_request:
  push:
    branches: [main, master]
permissions:
  contents: read
jobs:
  sidegate:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with:
          fetch-depth: 0 # what clients know is in the history
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - name: Install
        run: python -m pip install --quiet "sidegate=={__version__}"
      - name: Check
        run: sidegate check --format github
      - name: What breaks clients
        run: sidegate diff --merge-base "origin/${{GITHUB_BASE_REF:-$GITHUB_REF_NAME}}" --format github
      - name: Test
        run: sidegate test
"""

GITLAB = f"""\
# Written by `sidegate init --ci gitlab`: contracts and policies are checked, compared with what clients know, and tested.
sidegate:
  image: python:3.12
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
  variables:
    GIT_DEPTH: "0" # what clients know is in the history
  script:
    - python -m pip install --quiet "sidegate=={__version__}"
    - sidegate check
    - git fetch --quiet origin "${{CI_MERGE_REQUEST_TARGET_BRANCH_NAME:-$CI_DEFAULT_BRANCH}}"
    - sidegate diff --merge-base FETCH_HEAD --format junit > sidegate-diff.xml || (cat sidegate-diff.xml; exit 1)
    - sidegate test --junit sidegate-test.xml
  artifacts:
    when: always
    reports:
      junit: [sidegate-diff.xml, sidegate-test.xml]
"""

INCLUDED = """\
include:
  - local: .gitlab/sidegate.yml
"""

HOOK = """\
#!/bin/sh
# Written by `sidegate init --hook`: what is committed is checked, compared with what clients know, and tested.
# `git commit --no-verify` passes by. What may break clients is said in the contract, with a reason: x-sidegate: {breaking: ...}
set -e
sidegate check
sidegate diff --merge-base
sidegate test
"""
