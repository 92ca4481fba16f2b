"""Contract, exchanges -> what of the contract was seen, and what was missed.

`points.py` says what there is to see, `seen.py` what one exchange shows of it, `data.py` keeps that over workers and runs,
`report.py` lays the two side by side, and `text.py`, `page.py` and `report.document` tell it. None of it needs pytest.
"""

from __future__ import annotations

from .data import Data
from .points import Kind, Point, points
from .report import Report, report
from .seen import Exchange, seen

__all__ = ["Data", "Exchange", "Kind", "Point", "Report", "points", "report", "seen"]
