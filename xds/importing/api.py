"""Export, stages and usage plans -> files of a project, and notes. Every concern has a module; this one asks them in turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xds.diagnostics import Diagnostic
from xds.importing import answers, cors
from xds.importing.addresses import addresses, private
from xds.importing.authorizers import read_schemes
from xds.importing.contract import unknown_extensions
from xds.importing.export import Export, NoExport, read_export
from xds.importing.layout import laid_out
from xds.importing.operations import operations
from xds.importing.part import Notes, Part
from xds.importing.plans import read_plans
from xds.importing.stages import Stage, read_stages
from xds.importing.work import Sources, Work
from xds.source import Document


@dataclass(frozen=True, slots=True)
class Imported:
    """A project's files by name, and what is to be said of them."""

    files: Mapping[str, bytes]
    notes: tuple[Diagnostic, ...]


def import_aws(sources: Sources) -> Imported:
    """Carry an API over. Raises NoExport."""
    notes = Notes()
    export = read_export(sources.export, notes)
    stages = read_stages(_top(sources.stages), notes)
    stage = _stage(export, stages, sources.stage, notes)
    plans = read_plans(_top(sources.plans), export, stage, notes)
    base = export.base if sources.base is None else sources.base.rstrip("/")
    schemes = read_schemes(export, sources.audiences, notes)
    work = Work(export, sources, stages, stage, plans, schemes, notes, base)
    unknown_extensions(export.top, notes)
    _document(work)
    made = operations(work)
    return Imported(laid_out(work, made), tuple(notes.found))


def _top(document: Document | None) -> Part | None:
    return Part(document, "", document.value) if document else None


def _stage(export: Export, stages: tuple[Stage, ...], wanted: str, notes: Notes) -> Stage | None:
    """The stage that was asked for, else the export's, else the only one."""
    by_name = {stage.name: stage for stage in stages}
    if wanted and stages and wanted not in by_name:
        raise NoExport(f"there is no stage {wanted} in the file of stages; there are {', '.join(by_name)}")
    found = by_name.get(wanted or export.stage) or (stages[0] if stages and not wanted else None)
    if found and len(stages) > 1:
        others = ", ".join(name for name in by_name if name != found.name)
        help_ = (
            f"import again with --stage and compare; sidegate.{others.split(', ')[0]}.yaml has what settings can say"
        )
        notes.differs(
            found.part, f"limits and cache are those of stage {found.name}: contracts are the same in {others}", help_
        )
    return found


def _document(work: Work) -> None:
    """What holds for every operation."""
    export, keys, notes = work.export, work.document, work.notes
    work.closed = addresses(export, keys, notes)
    private(export, notes)
    cors.of_api(export, keys, notes)
    for method in export.methods:
        if method.preflight:
            others = [m for m in export.methods if m.path == method.path and m is not method]
            cors.of_path(method, others, work.paths.setdefault(method.path, {}), notes)
    answers.errors(export, keys, notes)
    answers.compression(export, keys, notes)
    keys["timeout"] = "30s" if export.http else "29s"  # AWS's own default, and the longest that most APIs may have
    notes.differs(
        export.top,
        "AWS passes an `Authorization` on that no authorizer reads; here it goes no further",
        "`authorization: pass` for services that read it themselves",
    )
    if not work.sources.report:
        return
    keys["undeclared"] = "pass"
    notes.differs(
        export.top,
        "AWS passes query parameters that nobody declared; so does `undeclared: pass`",
        "take it out to refuse them",
    )
