"""The page "the sidecar in a team's chart", followed as it is written, from `helm create` to a pod that runs."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.charts.kubelet import PROGRAMS, Pod
from tests.charts.rendering import ROOT, Object, objects, one
from tests.charts.test_running import by_name
from tests.roles.running import short_folder

pytestmark = pytest.mark.slow
PAGE = ROOT / "helm" / "sidegate-sidecar" / "README.md"

APP = """
import http.server, sys
class App(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/plain")
        self.end_headers()
        self.wfile.write(b"hello")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), App).serve_forever()
"""


def steps() -> list[str]:
    """The code of the five steps."""
    page = PAGE.read_text().partition("## The sidecar in a team's chart")[2].partition("\n## ")[0]
    return [textwrap.dedent(block) for block in re.findall(r"^ +```\w*\n(.*?)^ +```$", page, re.DOTALL | re.MULTILINE)]


def shell(words: str, folder: Path, helm: Path, **variables: str) -> str:
    """Run the lines of a step in a folder. Returns what they print."""
    said = ""
    programs = {"helm": [str(helm)], "sidegate": PROGRAMS["sidegate"]}
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), **variables}
    for line in filter(None, words.splitlines()):
        program, *rest = shlex.split(line)
        done = subprocess.run(
            [*programs[program], *rest], cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{line}: {done.stderr}{done.stdout}"
        said += done.stdout
    return said


def followed(folder: Path, helm: Path) -> str:
    """The chart `hello` as the first four steps make it. Returns the fifth."""
    dependency, update, wrapped, init, values, last = steps()
    (folder / "helm").symlink_to(ROOT / "helm")
    shell("helm create hello", folder, helm)
    chart, templates = folder / "hello", folder / "hello" / "templates"

    with (chart / "Chart.yaml").open("a") as file:
        file.write(dependency)
    shell(update, folder, helm)

    head, tail = wrapped.split("apiVersion: apps/v1\nkind: Deployment\n...\n")
    deployment = templates / "deployment.yaml"
    deployment.write_text(head + deployment.read_text() + tail)

    shell(init, folder, helm)
    shell("sidegate check hello/sidegate\nsidegate test hello/sidegate", folder, helm)

    service = templates / "service.yaml"
    service.write_text(service.read_text().replace("targetPort: http", "targetPort: 8080"))
    deployment.write_text(
        deployment.read_text().replace("{{ .Values.service.port }}", "{{ .Values.sidegate.app.port }}")
    )
    with (chart / "values.yaml").open("a") as file:
        file.write("\n" + values)

    (templates / "tests" / "test-connection.yaml").unlink()
    return last


def app(pod: Object) -> None:
    """The page's own app is nginx; its image is not here."""
    (container,) = pod["spec"]["containers"]
    container |= {"command": ["python", "-c", APP, "9000"]}


SAID = ["ok  GET /hello/v1/hello/rita: 200", "ok  GET /hello/v1/hello/nobody: 403 policy-denied"]


def test_as_it_is_written(helm_binary: Path, tmp_path: Path) -> None:
    followed(tmp_path, helm_binary)
    shell("helm lint --strict hello", tmp_path, helm_binary)
    found = objects(shell("helm template hello ./hello --kube-version 1.34.0", tmp_path, helm_binary))

    asked = one(found, "Pod", "-test")["spec"]["containers"][0]
    pod = one(found, "Deployment")["spec"]["template"]
    app(pod)
    with short_folder() as folder:
        running = Pod(pod, folder, by_name(found))
        try:
            running.start()
            words = [*asked["command"], f"http://127.0.0.1:{running.ports[8080]}", *asked["args"][1:]]
            said = shell(shlex.join(words), tmp_path, helm_binary)
        finally:
            running.kill()
    assert said.splitlines() == SAID
