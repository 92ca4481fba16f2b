"""Rego text -> Bundle; input -> Decision."""
