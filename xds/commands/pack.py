"""`sidegate pack`: a service's folder -> one ConfigMap, or one zip."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from xds.failure import CannotRun, Misused


def arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's flags."""
    parser.add_argument("dir", nargs="?", type=Path, default=Path(), metavar="DIR", help="a service's folder")
    parser.add_argument("--name", metavar="NAME", help="the ConfigMap's name (default: the service's)")
    parser.add_argument("--namespace", metavar="NAME", help="the namespace to write into the ConfigMap")
    parser.add_argument("--output", "-o", type=Path, metavar="FILE", help="write here instead of standard output")
    parser.add_argument(
        "--format", choices=("configmap", "zip"), default="configmap", help="zip: the pack alone, of any size"
    )
    parser.epilog = (
        "The same folder gives the same bytes on every machine. Secrets are never in a pack."
        " Exit codes: 0 packed, 1 the folder cannot be packed, 2 usage, 3 could not run."
    )


def run(options: argparse.Namespace) -> int:
    """Write the pack. Returns 1, and writes nothing, if there is an error."""
    from xds.diagnostics import has_errors
    from xds.packs.packing import config_map, pack, too_large
    from xds.render import as_text
    from xds.terminal import palette

    if not options.dir.is_dir():
        raise CannotRun(f"{options.dir} is not a folder. Next: sidegate init {options.dir} --service NAME")
    made = pack(options.dir)
    said = list(made.diagnostics)
    if options.format == "configmap" and made.data:
        said += too_large(len(made.data))
    print(as_text(said, made.files, palette(sys.stderr)), end="", file=sys.stderr)
    if has_errors(said):
        return 1
    if options.format == "zip":
        _write(made.data, options.output)
    else:
        name = _name(options.name, made.services)
        _write(config_map(made.data, name, made.services, _checked(options.namespace)).encode(), options.output)
    return 0


def _name(given: str | None, services: tuple[str, ...]) -> str:
    if given is None and len(services) != 1:
        raise Misused(f"the folder holds {len(services)} services ({', '.join(services)}): say --name NAME")
    return _checked(given or services[0].lower().replace("_", "-").replace(".", "-")) or ""


def _checked(name: str | None) -> str | None:
    from xds.packs.packing import NAME

    if name is not None and not NAME.fullmatch(name):
        raise Misused(f"'{name}' is no name in Kubernetes: up to 63 lower-case letters, digits and `-`")
    return name


def _write(data: bytes, output: Path | None) -> None:
    if output is None:
        if sys.stdout.isatty() and data[:2] == b"PK":
            raise Misused("a zip is nothing for a terminal: say --output FILE")
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(data)
    except OSError as error:
        raise CannotRun(f"{output} cannot be written: {(error.strerror or str(error)).lower()}") from error
