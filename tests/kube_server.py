"""A real Kubernetes API server on a real etcd, for tests: found, or built once where Go is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from xds.up.ports import free_port

VERSION = "1.34.4"
BUILD_S = 1800
TOKEN = "tests-are-admins"


def _cached() -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "sidegate" / "bin" / f"kube-apiserver-{VERSION}" / "kube-apiserver"


def find_apiserver() -> Path | str:
    """The binary (`SIDEGATE_KUBE_APISERVER`, the cache, or built into the cache), or why there is none."""
    for candidate in (os.environ.get("SIDEGATE_KUBE_APISERVER"), str(_cached())):
        if candidate and Path(candidate).is_file():
            return Path(candidate)
    if not shutil.which("go"):
        return "no API server: SIDEGATE_KUBE_APISERVER is not set, and there is no Go to build it with"
    if os.environ.get("SIDEGATE_KUBE_BUILD") == "0":
        return "no API server: SIDEGATE_KUBE_BUILD=0 says not to build one (it takes minutes)"
    return _built(_cached())


def _built(target: Path) -> Path | str:
    """Build it in a module of its own: Kubernetes' replaces the staging modules by folders, which only its repository has."""
    with tempfile.TemporaryDirectory() as folder:
        about = subprocess.run(
            ["go", "mod", "download", "-json", f"k8s.io/kubernetes@v{VERSION}"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=BUILD_S,
            check=False,
        )
        if about.returncode:
            return f"the API server cannot be fetched: {about.stderr.strip()[-300:]}"
        (Path(folder) / "go.mod").write_text(_module(Path(json.loads(about.stdout)["GoMod"]).read_text()))
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_suffix(f".{os.getpid()}")
        version = f"-s -w -X k8s.io/component-base/version.gitVersion=v{VERSION}"
        minor = " ".join(
            f"-X k8s.io/component-base/version.git{name}={VERSION.split('.')[at]}"
            for at, name in enumerate(("Major", "Minor"))
        )
        command = ["go", "build", "-trimpath", "-ldflags", f"{version} {minor}", "-o", str(scratch)]
        env = {**os.environ, "GOFLAGS": "-mod=mod -buildvcs=false", "CGO_ENABLED": "0"}
        built = subprocess.run(
            [*command, "k8s.io/kubernetes/cmd/kube-apiserver"],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=BUILD_S,
            check=False,
        )
        if not scratch.is_file():
            return f"the API server cannot be built: {built.stderr.strip()[-300:]}"
        scratch.replace(target)
    return target


def _module(text: str) -> str:
    """A go.mod that requires Kubernetes with each staging module in the version that was published with it."""
    words = [line.split() for line in text.splitlines()]
    staging = sorted({w[-3] for w in words if len(w) >= 3 and w[-2] == "=>" and w[-1].startswith("./staging/")})
    go = next(w[1] for w in words if w[:1] == ["go"])
    minor = VERSION.split(".", 1)[1]
    replaced = "\n".join(f"\t{name} => {name} v0.{minor}" for name in staging)
    return f"module apiserver.test\n\ngo {go}\n\nrequire k8s.io/kubernetes v{VERSION}\n\nreplace (\n{replaced}\n)\n"


def find_etcd() -> Path | str:
    """The `etcd` on PATH, or why there is none."""
    found = shutil.which(os.environ.get("SIDEGATE_ETCD") or "etcd")
    return Path(found) if found else "no etcd: it is not on PATH (Debian: etcd-server)"


class KubeServer:
    """An API server and its etcd. `url` is its address, `ca` its certificate, `kubeconfig` a file for an administrator."""

    def __init__(self, binary: Path, etcd: Path, folder: Path) -> None:
        self.binary, self.etcd, self.folder = binary, etcd, folder
        self.port, self.store, self.peers = free_port(), free_port(), free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.ca = folder / "certificates" / "apiserver.crt"
        self.kubeconfig = folder / "kubeconfig"
        self._processes: list[subprocess.Popen[bytes]] = []
        key = folder / "accounts.key"
        subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
        (folder / "tokens.csv").write_text(f'{TOKEN},admin,admin,"system:masters"\n')
        self.start()

    def start(self) -> None:
        """Start both, and wait until the API is ready."""
        self._start_etcd()
        self.start_api()
        self.kubeconfig.write_text(self.configuration(TOKEN))

    def _start_etcd(self) -> None:
        store, peers = f"http://127.0.0.1:{self.store}", f"http://127.0.0.1:{self.peers}"
        self._run(
            "etcd",
            *(str(self.etcd), "--data-dir", str(self.folder / "etcd"), "--unsafe-no-fsync"),
            *("--listen-client-urls", store, "--advertise-client-urls", store),
            *("--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers),
            *("--initial-cluster", f"default={peers}"),
        )

    def start_api(self) -> None:
        """Start the API server alone."""
        key = str(self.folder / "accounts.key")
        self.api = self._run(
            "apiserver",
            *(str(self.binary), "--etcd-servers", f"http://127.0.0.1:{self.store}"),
            *("--bind-address", "127.0.0.1", "--secure-port", str(self.port)),
            *("--advertise-address", "127.0.0.1", "--cert-dir", str(self.folder / "certificates")),
            *("--service-account-issuer", "https://kubernetes.test", "--service-account-key-file", key),
            *("--service-account-signing-key-file", key, "--token-auth-file", str(self.folder / "tokens.csv")),
            *("--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.0.0.0/24"),
            # No controller makes the accounts and their tokens that this plugin wants to mount.
            *("--disable-admission-plugins", "ServiceAccount", "--v", "1"),
        )
        self._wait()

    def _run(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        self._processes.append(process)
        return process

    def _wait(self, seconds: float = 90) -> None:
        end = time.monotonic() + seconds
        while not self._is_ready():
            failed = [p.args for p in self._processes if p.poll() is not None]
            assert not failed and time.monotonic() < end, f"not ready: {self._tail()}"  # noqa: PT018
            time.sleep(0.1)

    def _tail(self) -> str:
        return "\n".join(path.read_text()[-1500:] for path in sorted(self.folder.glob("*.log")))

    def _is_ready(self) -> bool:
        import httpx

        try:
            answer = httpx.get(
                f"{self.url}/readyz",
                verify=False,
                headers={"authorization": f"Bearer {TOKEN}"},
                timeout=5,
            )
        except httpx.HTTPError:
            return False
        return answer.status_code == 200

    def configuration(self, token: str) -> str:
        """A kubeconfig for whoever a token is."""
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "it",
                "clusters": [{"name": "it", "cluster": {"server": self.url, "certificate-authority": str(self.ca)}}],
                "users": [{"name": "it", "user": {"token": token}}],
                "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it", "namespace": "default"}}],
            }
        )

    def stop_api(self) -> None:
        """Kill the API server; etcd goes on."""
        self._processes.remove(self.api)
        self.api.kill()
        self.api.wait()

    def stop(self) -> None:
        """End both."""
        for process in reversed(self._processes):
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def kube_binaries() -> tuple[Path, Path]:
    """The API server and etcd, or a skip that says what is missing."""
    etcd = find_etcd()
    if isinstance(etcd, str):
        pytest.skip(etcd)
    api = find_apiserver()
    if isinstance(api, str):
        pytest.skip(api)
    return api, etcd


@pytest.fixture(scope="session")
def kube(kube_binaries: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeServer]:
    """One API server for all tests; each works in namespaces of its own."""
    server = KubeServer(*kube_binaries, tmp_path_factory.mktemp("kube"))
    yield server
    server.stop()
