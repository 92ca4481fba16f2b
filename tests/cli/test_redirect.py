"""`sidegate redirect`, in a network of its own: what arrives for the app's port reaches Envoy's, and 127.0.0.1 stays."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap

import pytest

from tests.waiting import PATIENCE_S
from xds.cli import main
from xds.commands import redirect

INSIDE = """
import socket, subprocess, sys, threading
run = lambda *words: subprocess.run(words, check=True)
run("ip", "link", "set", "lo", "up")
run("ip", "link", "add", "outside", "type", "veth", "peer", "name", "inside")
child = subprocess.Popen(["unshare", "-n", "sleep", "60"])
try:
    while True:  # until the child is in its own network
        if subprocess.run(["readlink", f"/proc/{child.pid}/ns/net"], capture_output=True, text=True).stdout != \\
           subprocess.run(["readlink", "/proc/self/ns/net"], capture_output=True, text=True).stdout:
            break
    run("ip", "link", "set", "outside", "netns", str(child.pid))
    run("ip", "address", "add", "10.9.0.1/24", "dev", "inside")
    run("ip", "link", "set", "inside", "up")
    there = ["nsenter", "-t", str(child.pid), "-n"]
    run(*there, "ip", "address", "add", "10.9.0.2/24", "dev", "outside")
    run(*there, "ip", "link", "set", "outside", "up")
    for _ in range(2):
        run(sys.executable, "-m", "xds.cli", "redirect", "--from", "9000", "--to", "8080")
    rules = subprocess.run(["iptables", "-t", "nat", "-S", "PREROUTING"], capture_output=True, text=True).stdout
    print("rules", rules.count("REDIRECT"))
    def serve(port, said):
        listening = socket.create_server(("", port))
        def answer():
            while True:
                with listening.accept()[0] as one:
                    one.sendall(said)
        threading.Thread(target=answer, daemon=True).start()
    serve(9000, b"app")
    serve(8080, b"envoy")
    ask = "import socket; print(socket.create_connection(('10.9.0.1', 9000), 5).recv(9).decode())"
    outside = subprocess.run([*there, sys.executable, "-c", ask], capture_output=True, text=True, timeout=20).stdout
    print("outside", outside.strip())
    print("inside", socket.create_connection(("127.0.0.1", 9000), 5).recv(9).decode())
finally:
    child.kill()
"""


@pytest.mark.slow
def test_what_arrives_is_led_to_envoy() -> None:
    if os.geteuid() != 0 or not all(map(shutil.which, ("iptables", "ip6tables", "unshare", "nsenter", "ip"))):
        pytest.skip("needs root, iptables, unshare, nsenter and ip")
    if subprocess.run(["unshare", "-n", "iptables", "-t", "nat", "-S"], capture_output=True, check=False).returncode:
        pytest.skip("iptables has no nat table here")
    command = ["unshare", "-n", sys.executable, "-c", textwrap.dedent(INSIDE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-3:] == ["rules 1", "outside envoy", "inside app"]


def test_without_iptables_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["redirect", "--from", "9000", "--to", "8080"]) == 3
    assert "there is no iptables here" in capsys.readouterr().err


def test_the_rule_is_of_what_arrives_only() -> None:
    assert redirect.rule_of(9000, 8080)[:5] == ["PREROUTING", "-p", "tcp", "--dport", "9000"]


@pytest.mark.parametrize("port", ["0", "65536", "x", "-1"])
def test_what_is_no_port_is_refused(port: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["redirect", f"--from={port}", "--to=8080"])
