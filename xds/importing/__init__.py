"""Another gateway's export -> a project's files, and notes on whatever has no equivalent. Pure: documents in, texts out."""

from __future__ import annotations

from xds.importing.api import Imported, import_aws
from xds.importing.export import NoExport
from xds.importing.work import Sources

__all__ = ["Imported", "NoExport", "Sources", "import_aws"]
