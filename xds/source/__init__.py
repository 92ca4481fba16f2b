"""Folder -> Tree -> Document: what a project's files say, and where each value of them stands."""

from __future__ import annotations

from .document import Document, excerpt, load, span
from .tree import Tree, read_tree

__all__ = ["Document", "Tree", "excerpt", "load", "read_tree", "span"]
