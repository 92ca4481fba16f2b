"""Folder -> Tree -> Document: what a project's files say, and where each value of them stands."""

from __future__ import annotations

from .blocks import Blocks
from .document import Document, excerpt, load, span
from .tree import Tree, read_tree

__all__ = ["Blocks", "Document", "Tree", "excerpt", "load", "read_tree", "span"]
