"""`sidegate redirect`: what comes to the pod for one port -> another, by iptables; run once, as root, before the app."""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

_TOOLS = ("iptables", "ip6tables")
_TIMEOUT = 30


def arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    parser.add_argument("--from", dest="source", type=_port, required=True, metavar="PORT", help="the app's port")
    parser.add_argument("--to", dest="target", type=_port, required=True, metavar="PORT", help="Envoy's port")
    parser.epilog = "Only what comes from outside: 127.0.0.1 stays as it is. Twice is once. Needs NET_ADMIN."


def run(options: argparse.Namespace) -> int:
    """Add the rule where it is not yet, for IPv4 and IPv6. Raises CannotRun if it cannot be added."""
    for tool in _TOOLS:
        rule = rule_of(options.source, options.target)
        if not _asked(tool, "-C", rule) or _add(tool, rule):
            print(f"{tool}: port {options.source} leads to {options.target}")
    return 0


def rule_of(source: int, target: int) -> list[str]:
    """Chain and rule. PREROUTING sees only what arrives from elsewhere, so Envoy's own way to the app is not led back."""
    return ["PREROUTING", "-p", "tcp", "--dport", str(source), "-j", "REDIRECT", "--to-ports", str(target)]


def _add(tool: str, rule: list[str]) -> bool:
    """False where there is no traffic of that kind. Raises CannotRun if the rule cannot be added."""
    from xds.failure import CannotRun

    if wrong := _asked(tool, "-A", rule):
        if tool == "ip6tables" and not _has_ipv6():
            return False  # nobody comes that way; with an address it would be a way past Envoy
        raise CannotRun(f"{tool}: {wrong}")
    return True


def _has_ipv6() -> bool:
    """Whether anything but the loopback has an IPv6 address."""
    try:
        lines = Path("/proc/net/if_inet6").read_text().splitlines()
    except FileNotFoundError:
        return False
    return any(not line.endswith(" lo") for line in lines)


def _asked(tool: str, action: str, rule: list[str]) -> str:
    """What the tool complained of; empty if it did as told."""
    from xds.failure import CannotRun

    command = [tool, "-w", "5", "-t", "nat", action, *rule]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except FileNotFoundError as error:
        raise CannotRun(f"there is no {tool} here; Sidegate's image has it") from error
    except subprocess.TimeoutExpired as error:
        raise CannotRun(f"{tool} did not answer within {_TIMEOUT} s") from error
    return (done.stderr.strip() or f"exit code {done.returncode}") if done.returncode else ""


def _port(text: str) -> int:
    if not (text.isdigit() and 0 < int(text) < 65536):
        raise argparse.ArgumentTypeError(f"'{text}' is no port")
    return int(text)
