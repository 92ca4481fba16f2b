"""The control plane's API over HTTP, with a companion's reports and no proxy."""

from __future__ import annotations

import asyncio
import io
from contextlib import redirect_stderr

import httpx

from tests.projects import CONTRACT, pets, write
from tests.waiting import PATIENCE_S
from xds.address import Address
from xds.cli import main
from xds.control.groups import companion_of
from xds.control.running import Control
from xds.envoy import Profile
from xds.up.ports import free_port


def over_http(tmp_path, files, steps):
    """Start a control plane over a project and run `steps(client, control)`; returns what it returns."""

    async def run():
        events = []
        root = write(tmp_path / "project", files)
        management = Address("127.0.0.1", free_port())
        profile = Profile(("127.0.0.1", free_port()), ("127.0.0.1", free_port()))
        control = Control(root, profile, management=management, ads="127.0.0.1:0", on_event=events.append)
        await control.start()
        try:
            async with httpx.AsyncClient(
                base_url=f"http://{management}", trust_env=False, timeout=PATIENCE_S
            ) as client:
                while True:
                    try:
                        await client.get("/ready")
                        break
                    except httpx.ConnectError:
                        await asyncio.sleep(0.05)
                return await steps(client, control)
        finally:
            await control.stop()

    return asyncio.run(run())


def test_ready_names_what_is_missing(tmp_path):
    async def steps(client, control):
        first = await client.get("/ready")
        digests = control.plane.publisher.wanted.digests
        report = {"admin": "http://127.0.0.1:9", "digests": {n: [d] for n, d in digests.items()}, "revisions": {}}
        for _ in range(20):  # a machine that loads everything for the first time may take longer than a report counts
            put = await client.put("/companions/one", json=report)
            second = await client.get("/ready")
            if "no companion reports" not in second.json()["missing"]:
                break
        return first, put, second

    first, put, second = over_http(tmp_path, pets(), steps)
    assert first.status_code == 503
    assert "no companion reports" in first.json()["missing"]
    assert put.status_code == 200
    digests = second.json()["digests"]
    needed = {name: [digest] for name, digest in digests.items()}
    assert put.json() == {"needed": needed, "wanted": digests, "withheld": {}}
    assert second.status_code == 503
    assert second.json()["missing"] == ["no node of group '' is connected", "companion one does not answer"]
    assert set(second.json()["digests"]) == {"pets/v1"}


def test_ready_asks_no_companion_in_a_pod_of_its_own(tmp_path):
    async def steps(client, control):
        digests = {n: [d] for n, d in control.plane.publisher.wanted.digests.items()}
        control.plane.companions.take(companion_of("pod-1", "", {"digests": digests, "revisions": {}}))
        return (await client.get("/ready")).json()["missing"], (await client.get("/decisions")).status_code

    missing, status = over_http(tmp_path, pets(), steps)
    assert not [each for each in missing if "does not answer" in each]
    assert status == 200


def test_reports_that_are_not_reports_are_refused(tmp_path):
    async def steps(client, control):
        answers = [
            await client.put("/companions/one", json=body)
            for body in (
                {},
                {"admin": 1, "digests": {}, "revisions": {}},
                {"admin": "x", "digests": [], "revisions": {}},
            )
        ]
        return [a.status_code for a in answers], dict(control.plane.publisher.companions)

    codes, companions = over_http(tmp_path, pets(), steps)
    assert codes == [400, 400, 400]
    assert companions == {}


def test_what_is_served_and_why(tmp_path):
    async def steps(client, control):
        paths = ["/services", "/services/pets/v1/operations", "/explain/pets/v1/listPets", "/diagnostics", "/clients"]
        missing = ["/explain/pets/v1/nothing", "/services/pets/v9/operations", "/decisions/" + "0" * 32]
        found = [(await client.get(path)).json() for path in paths]
        return found, [(await client.get(path)).status_code for path in missing]

    (services, operations, explained, diagnostics, clients), missing = over_http(tmp_path, pets(), steps)
    assert missing == [404, 404, 404]
    assert [s["name"] for s in services] == ["pets"]
    assert [o["operation"] for o in operations] == ["open", "listPets", "addPet"]
    assert explained["route"] == "GET /pets/v1/pets"
    assert explained["contract"].startswith("contracts/pets/v1.yaml:7:")
    assert [c["check"] for c in explained["checks"]] == ["route", "token", "parameters", "body", "policy"]
    assert explained["policy"]["rule"] == "pets/authz/allow"
    assert explained["policy"]["places"] == ["policies/pets/authz.rego:3:1", "policies/pets/authz.rego:5:1"]
    assert (diagnostics, clients) == ([], [])


def test_of_an_unknown_trace_it_is_said_who_may_know_it(tmp_path):
    """Companions in pods of their own keep what they decided; nobody asks them from here."""
    trace = "0" * 32

    async def steps(client, control):
        nowhere = (await client.get(f"/decisions/{trace}")).json()
        control.plane.companions.take(companion_of("pod-1", "pets", {"digests": {}, "revisions": {}}))
        with redirect_stderr(io.StringIO()) as said:
            asked = ["explain", trace, "--management", str(control.management)]
            code = await asyncio.to_thread(main, asked)
        return nowhere, await client.get(f"/decisions/{trace}"), code, said.getvalue()

    nowhere, answer, code, said = over_http(tmp_path, pets(), steps)
    assert "companions" not in nowhere
    assert (answer.status_code, answer.json()["companions"]) == (404, ["pets/pod-1"])
    assert code == 1
    assert f"sidegate explain {trace} --management unix:/var/run/sidegate/companion-api.sock" in said
    assert "pets/pod-1" in said


def test_diagnostics_have_places(tmp_path):
    async def steps(client, control):
        return (await client.get("/diagnostics")).json(), (await client.get("/ready")).json()

    broken = pets(contract=CONTRACT.replace("type: integer", "type: integr"))
    diagnostics, ready = over_http(tmp_path, broken, steps)
    assert [(d["code"], d["severity"], d["span"]["file"], d["span"]["line"]) for d in diagnostics] == [
        ("schema-type", "error", "contracts/pets/v1.yaml", 9)
    ]
    assert ready["ready"] is False
    assert "no contract compiles" in ready["missing"]
