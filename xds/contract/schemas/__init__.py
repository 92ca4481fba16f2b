"""Schema Objects -> plain JSON Schema 2020-12 in request direction, and the shapes that text is decoded by."""

from __future__ import annotations

from .lowering import Lowered, Lowering
from .shapes import ANY, shape_of

__all__ = ["ANY", "Lowered", "Lowering", "shape_of"]
