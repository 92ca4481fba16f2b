"""The source on a real API server: what it tells is what was written for it in `told.py`, and its death takes nothing away."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from lightkube import KubeConfig

from tests.charts.helm_cli import helm_binary
from tests.kube_server import KubeServer
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.test_source import texts, zipped
from tests.packs.members import member
from tests.waiting import soon
from xds.kubernetes import KubernetesSource
from xds.kubernetes.api import Api, Trouble
from xds.kubernetes.objects import Version
from xds.packs.archive import compressed
from xds.packs.packing import MAX_CONFIGMAP, config_map
from xds.project.project import Project

__all__ = ["helm_binary"]

pytestmark = pytest.mark.slow

LABELS = {"sidegate.io/sources": "true"}


@pytest.fixture
def cluster(kube: KubeServer, tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(kube, Path("helm"), tmp_path, tmp_path)
    yield made
    made.close()


def configuration(cluster: Cluster) -> Any:
    return KubeConfig.from_file(cluster.server.kubeconfig).get()


def create(cluster: Cluster, name: str, text: str) -> None:
    cluster.post(cluster.path("ConfigMap"), {"metadata": {"name": name, "labels": LABELS}, **zipped(text)})


def change(cluster: Cluster, name: str, text: str) -> None:
    cluster.put("ConfigMap", name, {"metadata": {"name": name, "labels": LABELS}, **zipped(text)})


def run(following: KubernetesSource, steps: Callable[[], Any]) -> None:
    async def main() -> None:
        task = asyncio.create_task(following.run())
        try:
            await steps()
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


def test_it_is_followed_through_the_servers_death(cluster: Cluster, tmp_path: Path) -> None:
    space, folder = cluster.namespace, tmp_path / "packs"
    create(cluster, "pets", "one")
    cluster.post(cluster.path("ConfigMap"), {"metadata": {"name": "other"}, "data": {"a": "b"}})
    following = KubernetesSource(folder, [space], configuration(cluster))

    async def steps() -> None:
        assert await following.first(60)
        assert texts(folder) == {f"{space}.pets.zip": "one"}
        await soon(lambda: following.problems() == [])
        change(cluster, "pets", "two")
        create(cluster, "cats", "three")
        await soon(lambda: texts(folder) == {f"{space}.cats.zip": "three", f"{space}.pets.zip": "two"})
        await asyncio.to_thread(cluster.server.stop_api)
        await soon(lambda: any("cannot be reached" in problem for problem in following.problems()))
        assert texts(folder) == {f"{space}.cats.zip": "three", f"{space}.pets.zip": "two"}
        await asyncio.to_thread(cluster.server.start_api)
        await asyncio.to_thread(change, cluster, "pets", "four")
        await soon(lambda: texts(folder).get(f"{space}.pets.zip") == "four")
        await soon(lambda: following.problems() == [])
        # Whoever takes the label away takes the source away.
        cluster.put("ConfigMap", "pets", {"metadata": {"name": "pets"}, **zipped("five")})
        await soon(lambda: texts(folder) == {f"{space}.cats.zip": "three"})
        cluster.http.delete(cluster.path("ConfigMap", "cats"))
        await soon(lambda: texts(folder) == {})

    run(following, steps)


def test_what_is_too_old_is_gone(cluster: Cluster) -> None:
    """The server's own form of 410: what it says of a version that it does not remember."""

    async def watch() -> None:
        api = Api(configuration(cluster))
        try:
            async for _ in api.watch(cluster.namespace, Version(1)):
                pass
        finally:
            await api.close()

    with pytest.raises(Trouble) as raised:
        asyncio.run(asyncio.wait_for(watch(), 60))
    assert raised.value.is_gone, raised.value.message


def test_without_rights_it_says_so(cluster: Cluster, tmp_path: Path) -> None:
    cluster.post(f"api/v1/namespaces/{cluster.namespace}/serviceaccounts", {"metadata": {"name": "nobody"}})
    file = tmp_path / "kubeconfig"
    file.write_text(cluster.server.configuration(cluster.token("nobody")))
    following = KubernetesSource(tmp_path / "packs", [], KubeConfig.from_file(file).get())

    async def steps() -> None:
        await soon(lambda: any("forbidden" in problem for problem in following.problems()))
        assert not await following.first(0.1)

    run(following, steps)


def test_a_pack_as_it_is_written(cluster: Cluster, tmp_path: Path) -> None:
    """`sidegate pack`'s manifest, taken by the server, read by the source, compiled by the project."""
    data = compressed({name: text.encode() for name, text in member().items()})
    text = config_map(data, "pets", ["pets"], cluster.namespace)
    answer = cluster.http.post(cluster.path("ConfigMap"), content=text, headers={"content-type": "application/yaml"})
    assert answer.status_code == 201, answer.text
    folder = tmp_path / "packs"
    following = KubernetesSource(folder, [cluster.namespace], configuration(cluster))

    async def steps() -> None:
        assert await following.first(60)

    run(following, steps)
    project = Project(tmp_path / "own", packs=[folder])
    compiled = project.compile()
    assert [d for d in compiled.diagnostics if d.is_error] == []
    assert compiled.digests.keys() == {"pets/v1"}
    assert project.namespaces() == {"pets": cluster.namespace}


@pytest.mark.parametrize(("more", "status"), [(0, 201), (1, 422)])
def test_how_much_a_config_map_holds(cluster: Cluster, more: int, status: int) -> None:
    """The bound that `sidegate pack` tells is the server's: bytes, not base64."""
    data = base64.b64encode(bytes(MAX_CONFIGMAP + more)).decode()
    answer: httpx.Response = cluster.http.post(
        cluster.path("ConfigMap"), json={"metadata": {"name": "large"}, "binaryData": {"large.zip": data}}
    )
    assert answer.status_code == status
