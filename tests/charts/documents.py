"""A chart's values.schema.json -> its values.yaml and the table in its README.md; the gateway's metrics -> its dashboard."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from xds import dashboards
from xds.model import Gateway

ROOT = Path(__file__).parents[2]
SIDECAR = ROOT / "xds" / "inject" / "values.schema.json"
CHARTS = {"sidegate-sidecar": SIDECAR, "sidegate": ROOT / "helm" / "sidegate" / "values.schema.json"}
BEGIN, END = "<!-- values: written by `python -m tests.published` -->", "<!-- end of values -->"

Schema = Mapping[str, Any]


def files() -> dict[Path, str]:
    """What is written of each chart: path -> text."""
    made: dict[Path, str] = {}
    for chart, source in CHARTS.items():
        folder = ROOT / "helm" / chart
        schema = json.loads(source.read_text())
        made[folder / "values.schema.json"] = source.read_text()
        made[folder / "values.yaml"] = values(schema)
        made[folder / "README.md"] = readme((folder / "README.md").read_text(), schema)
    return made | watched()


def watched() -> dict[Path, str]:
    """What `sidegate dashboards` writes of a gateway whose services are not known yet, in the shared chart."""
    folder = ROOT / "helm" / "sidegate"
    written = dashboards.files(Gateway((), {}))
    return {
        folder / "dashboards" / "sidegate.json": written["grafana/sidegate.json"],
        folder / "alerts" / "sidegate.rules.yaml": written["prometheus/sidegate.rules.yaml"],
    }


def values(schema: Schema) -> str:
    """The defaults, each under its description."""
    return f"# {schema['title']}. Written from values.schema.json; do not edit.\n" + "".join(_values(schema, ""))


def _values(schema: Schema, indent: str) -> Iterator[str]:
    for name, value in schema["properties"].items():
        if name == "global":
            continue
        if not indent:
            yield "\n"
        width = 120 - len(indent)
        yield textwrap.indent(textwrap.fill(value["description"], width - 2), f"{indent}# ") + "\n"
        if "properties" in value:
            yield f"{indent}{name}:\n"
            yield from _values(value, indent + "  ")
        else:
            yield textwrap.indent(_entry(name, value["default"]), indent)


def _entry(name: str, default: Any) -> str:
    if isinstance(default, Mapping) and default:
        return str(yaml.safe_dump({name: default}, sort_keys=False))
    return f"{name}: {json.dumps(default)}\n"


def readme(text: str, schema: Schema) -> str:
    """The page with a new table between its two marks."""
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    rows = "".join(f"| `{name}` | {default} | {meaning} |\n" for name, default, meaning in _rows(schema, ""))
    return f"{before}{BEGIN}\n\n| value | default | meaning |\n|---|---|---|\n{rows}\n{END}{after}"


def _rows(schema: Schema, prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, value in schema["properties"].items():
        if name == "global":
            continue
        if "properties" in value:
            yield from _rows(value, f"{prefix}{name}.")
        else:
            shown = json.dumps(value["default"]).replace("|", "\\|")
            allowed = f" One of {', '.join(f'`{each}`' for each in value['enum'])}." if "enum" in value else ""
            yield prefix + name, f"`{shown}`", value["description"].replace("|", "\\|") + allowed


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text)
