"""A pod's object -> its containers as processes, by their own commands, environment and volumes: where no kubelet is.

A process has no file system and no ports of its own, so what its words and variables say of mounted paths is led below a
folder, and what they say of the pod's ports to ports that nobody has.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.charts import volumes
from tests.charts.rendering import ROOT, Object
from tests.ratelimit_server import connects
from tests.roles.running import PATIENCE_S, until
from xds.up.ports import free_port

PROGRAMS = {"sidegate": [sys.executable, "-m", "xds.cli"], "python": [sys.executable]}
_OWN = {
    "SIDEGATE_RUN": ("/var/run/sidegate", "{}"),
    "SIDEGATE_COMPANION": ("/var/run/sidegate", "unix:{}/companion.sock"),
    "TMPDIR": ("/tmp", "{}"),
}
"""Where a container's program goes without being told, by the variable with which it is told."""

Container = Mapping[str, Any]


class Pod:
    """`objects` are the ConfigMaps and Secrets of its namespace. `folder` has a short path, since sockets are below it.

    `ports` says where a port of the pod is on this machine, and `hosts` where names are (`NAME:PORT` to `HOST:PORT`).
    """

    def __init__(
        self, pod: Object, folder: Path, objects: volumes.Objects, hosts: Mapping[str, str] | None = None
    ) -> None:
        self.name, self.spec, self.folder = pod["metadata"].get("name", "pod-0"), pod["spec"], folder
        self.metadata = {"namespace": "prod", **pod["metadata"], "name": self.name}
        self.hosts = {} if hosts is None else hosts
        containers = (*self.spec.get("initContainers", []), *self.spec["containers"])
        declared = {port["containerPort"] for each in containers for port in each.get("ports", [])}
        self.ports = {port: free_port() for port in sorted(declared)}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        folder.mkdir(exist_ok=True)
        self.project(objects)

    def project(self, objects: volumes.Objects) -> None:
        """Bring the volumes up to date, as a kubelet does a while after an object has changed."""
        for volume in self.spec.get("volumes", []):
            volumes.make(volume, self.folder / volume["name"], objects)

    def start(self) -> None:
        """Init containers in their order, each until it is started or has ended; then the others, until all are ready."""
        for container in self.spec.get("initContainers", []):
            self._run(container)
            if container.get("restartPolicy") != "Always":
                assert self._processes[container["name"]].wait(PATIENCE_S) == 0, self.log(container["name"])
            else:
                self._until(container, "startupProbe")
        for container in self.spec["containers"]:
            self._run(container)
        for container in (*self._sidecars(), *self.spec["containers"]):
            self._until(container, "readinessProbe")

    def stop(self) -> dict[str, int]:
        """Hooks first; then the containers, and those that stay in their reverse order. Returns the exit codes."""
        for container in (*self._sidecars(), *self.spec["containers"]):
            hook = container.get("lifecycle", {}).get("preStop", {})
            if "exec" in hook:
                words, env = self._words(hook["exec"]["command"], container), self._env(container)
                subprocess.run(words, env=env, timeout=PATIENCE_S, check=True, cwd=ROOT)
        codes = {}
        for group in (self.spec["containers"], *([each] for each in reversed(self._sidecars()))):
            for container in group:
                self._processes[container["name"]].send_signal(signal.SIGTERM)
            codes |= {each["name"]: self._processes[each["name"]].wait(PATIENCE_S) for each in group}
        return codes

    def kill(self) -> None:
        """End whatever is left, at once."""
        for process in self._processes.values():
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except OSError:
                continue
        for process in self._processes.values():
            process.wait()

    def log(self, container: str) -> str:
        """What it wrote, the end of it."""
        return (self.folder / f"{container}.log").read_text(errors="replace")[-3000:]

    def _sidecars(self) -> list[Container]:
        return [each for each in self.spec.get("initContainers", []) if each.get("restartPolicy") == "Always"]

    def _run(self, container: Container) -> None:
        words = self._words([*container["command"], *container.get("args", [])], container)
        with (self.folder / f"{container['name']}.log").open("ab") as log:
            self._processes[container["name"]] = subprocess.Popen(
                words, env=self._env(container), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def _until(self, container: Container, kind: str) -> None:
        probe = container.get(kind, {})
        asked = probe.get("httpGet") or probe.get("tcpSocket")
        if asked is None:
            return
        name, port, path = container["name"], self.ports[asked["port"]], self._led(asked.get("path", ""), container)

        def answered() -> bool:
            assert self._processes[name].poll() is None, f"{name} ended: {self.log(name)}"
            return status(port, path) == 200 if path else connects(port)

        until(answered, lambda: f"{name}, {kind}: {answer(port, path)}; {self.log(name)}")

    def _words(self, words: list[str], container: Container) -> list[str]:
        program = PROGRAMS.get(words[0], [words[0]])
        return [*program, *(self._led(word, container) for word in words[1:])]

    def _env(self, container: Container) -> dict[str, str]:
        env = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        env["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        mounted = self._mounts(container)
        env |= {name: said.format(mounted[path]) for name, (path, said) in _OWN.items() if path in mounted}
        for variable in container.get("env", []):
            field = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath", "")
            value = self.metadata[field.removeprefix("metadata.")] if field else variable["value"]
            env[variable["name"]] = self._led(value, container)
        return env

    def _led(self, word: str, container: Container) -> str:
        """A word with its names, mounted paths and ports led to where they are. Each part of it is led once."""
        led = {re.escape(name): to for name, to in self.hosts.items()}
        led |= {rf"(?<![\w/]){re.escape(path)}(?=[/:,]|$)": str(to) for path, to in self._mounts(container).items()}
        led |= {rf"(?<![\w.-]){port}(?![\w.-])": str(to) for port, to in self.ports.items()}
        patterns = sorted(led, key=len, reverse=True)
        groups = "|".join(f"(?P<g{at}>{pattern})" for at, pattern in enumerate(patterns))
        return re.sub(groups, lambda found: led[patterns[int(str(found.lastgroup)[1:])]], word) if groups else word

    def _mounts(self, container: Container) -> dict[str, Path]:
        made = {}
        for mount in container.get("volumeMounts", []):
            made[mount["mountPath"]] = self.folder / mount["name"] / mount.get("subPath", "")
            made[mount["mountPath"]].mkdir(parents=True, exist_ok=True)
        return made


def status(port: int, path: str, headers: Mapping[str, str] | None = None) -> int:
    """The status of an answer on loopback; 0 where there is none."""
    return answer(port, path, headers)[0]


def answer(port: int, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
    """The same with the body."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=dict(headers or {}))
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as found:
            return int(found.status), found.read().decode(errors="replace")
    except urllib.error.HTTPError as found:
        with found:
            return int(found.code), found.read().decode(errors="replace")
    except OSError as error:
        return 0, str(error)
