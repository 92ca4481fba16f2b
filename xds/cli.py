"""The `sidegate` command: arguments -> one verb of `xds.commands`.

Exit codes: 0 clean, 1 findings, 2 usage, 3 could not run. A verb's module is imported only when it is asked for, and what
it needs only when it runs: `--help` must not wait for an Envoy library.
"""

from __future__ import annotations

import argparse
import keyword
import os
import sys
from importlib import import_module

from xds import __version__
from xds.failure import CannotRun, Misused

VERBS = {
    "up": "run the gateway on a project's folder, or on one contract, and follow its changes",
    "check": "say what is wrong with contracts, policies and settings",
    "compile": "print the Envoy resources that a project compiles to",
    "diff": "say what breaks clients between two forms of contracts: files, folders or git revisions",
    "diff-env": "say what differs between environments, in settings and in what Envoy gets",
    "explain": "say how an operation is guarded, or why a request was refused",
    "test": "judge examples, requests and policies by their tests, and say what was not tried",
    "dashboards": "write a Grafana dashboard and alert rules for a project",
    "key": "make, list and revoke the keys of API consumers",
    "pack": "write a service's folder as one ConfigMap that Kubernetes carries to the gateway",
    "init": "write a service's folder: contract, policy with a test, sidegate.yaml",
    "import": "turn another gateway's export into contracts, policies and settings, and name what has no equivalent",
    "inject": "put the sidecar into the pods of manifests (stdin to stdout), as the library chart does",
    "try": "send requests to a gateway, and see whether each was answered with the status it should have",
    "redirect": "lead what comes for one port to another by iptables (the image's init container)",
    "sidecar": "control plane and companion for one pod (the image's role)",
    "drain": "have the proxy beside ask its clients to leave, before it ends (a pod's preStop)",
    "status": "say which proxies hold what is wanted, which are behind and which refused it, and why",
    "doctor": "say what is wrong with this set-up, in order, and what to do about it",
    "control-plane": "the control plane that many proxies share (the image's role)",
    "companion": "the companion, which judges when Envoy asks (the image's role)",
    "envoy": "Envoy itself, on a bootstrap from flags and environment (the image's role)",
}

ELSEWHERE = {"test": "pytest_sidegate.shell.command"}
"""Verbs that need what `xds` may not import; only their names are here."""

COULD_NOT_RUN = 3
MISUSED = 2


def parser(argv: list[str]) -> argparse.ArgumentParser:
    """The command line's grammar; only the verb that `argv` asks for is filled in."""
    made = argparse.ArgumentParser(prog="sidegate", description="A policy-as-code gateway driven by OpenAPI contracts.")
    made.add_argument("--version", action="version", version=f"sidegate {__version__}")
    verbs = made.add_subparsers(dest="verb", metavar="VERB", required=True)
    asked = next((word for word in argv if not word.startswith("-")), None)
    for verb, summary in VERBS.items():
        sub = verbs.add_parser(verb, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if verb == asked:
            import_module(_module(verb)).arguments(sub)
    return made


def _module(verb: str) -> str:
    name = verb.replace("-", "_")
    if verb in ELSEWHERE:
        return ELSEWHERE[verb]
    return f"xds.commands.{name}_" if keyword.iskeyword(name) else f"xds.commands.{name}"


def main(argv: list[str] | None = None) -> int:
    """Run one verb. Returns the exit code; argparse leaves with 2 when the words make no sense."""
    words = sys.argv[1:] if argv is None else argv
    options = parser(words).parse_args(words)
    try:
        code: int = import_module(_module(options.verb)).run(options)
        sys.stdout.flush()
    except CannotRun as problem:
        print(f"sidegate: {problem}", file=sys.stderr)
        return MISUSED if isinstance(problem, Misused) else COULD_NOT_RUN
    except BrokenPipeError:  # `sidegate compile | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return COULD_NOT_RUN
    except KeyboardInterrupt:
        return 130
    return code


if __name__ == "__main__":
    sys.exit(main())
