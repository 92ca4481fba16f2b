"""A set-up -> what is wrong with it, in the order in which to put it right."""

from __future__ import annotations

from xds.doctor.finding import Finding, SetUp
from xds.doctor.order import diagnose

__all__ = ["Finding", "SetUp", "diagnose"]
