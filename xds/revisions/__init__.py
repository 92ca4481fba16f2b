"""Revisions of contracts -> what breaks clients between them."""
