"""Tree -> Compilation: every service's contracts and policies as one model, or diagnostics."""

from __future__ import annotations

from .compilation import Compilation
from .compiler import Compiler
from .digests import FORMAT, digest_of
from .layout import lay_out

__all__ = ["FORMAT", "Compilation", "Compiler", "digest_of", "lay_out"]
