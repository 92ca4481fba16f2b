"""`sidegate import aws-apigateway`: an export's file -> a project's files, and what of it has no equivalent."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from xds.failure import CannotRun, Misused

if TYPE_CHECKING:
    from xds.importing import Imported
    from xds.source import Document

_NAME = re.compile(r"[a-z][a-z0-9-]*")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EPILOG = """\
FILE holds OpenAPI 3.0 with AWS's extensions, as JSON or YAML:
  aws apigateway get-export --export-type oas30 --parameters extensions=apigateway --rest-api-id ID --stage-name STAGE FILE
  aws apigatewayv2 export-api --specification OAS30 --output-type YAML --include-extensions --api-id ID FILE
What such a file does not hold is in others:
  aws apigateway get-stages --rest-api-id ID > stages.json        (or apigatewayv2 get-stages)
  aws apigateway get-usage-plans > usage-plans.json

Written are contracts/SERVICE/VERSION.yaml, policies/SERVICE/authz.rego with its test, sidegate.yaml, and for each stage
sidegate.STAGE.yaml (--env STAGE). An operation that AWS answered or authorised by something that has no equivalent, such as
a Lambda function, stays in the contract and is refused by the policy.

Exit codes: 0 everything has an equivalent, 1 something has none, 2 usage, 3 could not run."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's kinds of source, and their flags."""
    kinds = parser.add_subparsers(dest="source", metavar="SOURCE", required=True)
    words = "an API of Amazon API Gateway (REST or HTTP), from its OpenAPI 3.0 export"
    aws = kinds.add_parser(
        "aws-apigateway",
        help=words,
        description=words[0].upper() + words[1:] + ".",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    aws.add_argument("file", type=Path, metavar="FILE", help="the export")
    aws.add_argument("--stages", type=Path, metavar="FILE", help="what get-stages prints: variables, throttling, cache")
    aws.add_argument("--usage-plans", type=Path, metavar="FILE", help="what get-usage-plans prints: limits and quotas")
    aws.add_argument("--stage", default="", metavar="NAME", help="whose limits and cache count (default: the export's)")
    aws.add_argument(
        "--service", default="", metavar="NAME", help="the service's name (default: made of the API's title)"
    )
    aws.add_argument("--version", default="v1", metavar="NAME", help="the contract's version (default: v1)")
    aws.add_argument("--base-path", metavar="PATH", help="the public base path (default: the export's first server's)")
    aws.add_argument(
        "--audience", action="append", default=[], metavar="ID", help="an app client whose tokens count, for user pools"
    )
    aws.add_argument(
        "--unvalidated",
        choices=("report", "enforce"),
        default="report",
        help="requests that AWS checked nothing of: record what the contract would refuse (default), or refuse it",
    )
    aws.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="the project's folder (default: .)")
    aws.add_argument("--force", action="store_true", help="write over files that are there")
    aws.add_argument(
        "--format", choices=("text", "json", "sarif", "github"), default="text", help="how notes are printed"
    )


def run(options: argparse.Namespace) -> int:
    """Write the files and print the notes. Returns 1 if something has no equivalent."""
    from xds.diagnostics import Severity
    from xds.importing import NoExport, Sources, import_aws
    from xds.render import FORMATS
    from xds.terminal import palette

    _check_words(options)
    documents = {path: _document(path) for path in (options.file, options.stages, options.usage_plans) if path}
    sources = Sources(
        documents[options.file],
        documents.get(options.stages),
        documents.get(options.usage_plans),
        options.service,
        options.version,
        options.stage.lstrip("$"),
        options.base_path,
        tuple(options.audience),
        options.unvalidated == "report",
    )
    try:
        imported = import_aws(sources)
    except NoExport as problem:
        raise CannotRun(f"{options.file}: {problem}") from None
    _write(options.out, imported, options.force)
    files = {document.file: document.data for document in documents.values()}
    print(FORMATS[options.format](imported.notes, files, palette(sys.stdout)), end="")
    if options.format == "text":
        _tell(options.out, imported)
    return 1 if any(note.severity is Severity.WARNING for note in imported.notes) else 0


def _check_words(options: argparse.Namespace) -> None:
    if options.service and not _NAME.fullmatch(options.service):
        raise Misused(
            f"'{options.service}' is no name for a service: lower-case letters, digits and hyphens, a letter first"
        )
    if not _VERSION.fullmatch(options.version):
        raise Misused(f"'{options.version}' is no name for a version: letters, digits, dots and hyphens")
    if options.base_path and not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+/?|/", options.base_path):
        raise Misused(f"'{options.base_path}' is no base path: /prod, or / for none")


def _document(path: Path) -> Document:
    from xds.source import load

    try:
        document, diagnostics = load(path.as_posix(), path.read_bytes())
    except OSError as error:
        raise CannotRun(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    if document is None:
        first = diagnostics[0]
        raise CannotRun(f"{first.span}: {first.message}")
    if not isinstance(document.value, dict):
        raise CannotRun(f"{path} holds no object")
    return document


def _write(out: Path, imported: Imported, force: bool) -> None:
    """All files or none, as far as what is there already says."""
    taken = [out / name for name in imported.files if (out / name).exists()]
    if taken and not force:
        raise CannotRun(f"{taken[0]} is there already; nothing was written. Next: --out DIR, or --force")
    for name, data in imported.files.items():
        path = out / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb" if force else "xb") as file:
                file.write(data)
        except OSError as error:
            raise CannotRun(f"{path} cannot be written: {(error.strerror or str(error)).lower()}") from error


def _tell(out: Path, imported: Imported) -> None:
    for name in imported.files:
        print(f"wrote {out / name}")
    where = "" if out == Path() else f" {out}"
    print(f"\nNext: sidegate check{where}; sidegate test{where}; then sidegate up{where}")
