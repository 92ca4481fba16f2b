"""The sources that are held, those that replicas offer -> which are to be taken next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Offer:
    """Sources of one replica. `order` is the state of the Kubernetes API that they came with; folders have none (0)."""

    target: str = ""
    revision: str = ""
    order: int = 0


def chosen(held: Offer, offers: Sequence[Offer]) -> Offer | None:
    """What to take instead of what is held, if anything: the newest where there is an order.

    Without an order it is what the replica has that the held sources came from, or, while that is away, the first of those that
    are there. What is returned may be `older`; then it is to be waited for the replica to come to where others were.
    """
    there = [offer for offer in offers if offer.revision]
    newest = max(there, key=lambda offer: offer.order, default=None)
    if newest is not None and newest.order > held.order and newest.revision != held.revision:
        return newest
    followed = next((offer for offer in there if offer.target == held.target), there[0] if there else None)
    return None if followed is None or followed.revision == held.revision else followed


def older(offer: Offer, held: Offer) -> bool:
    """Whether sources are known to be older than those held."""
    return 0 < offer.order < held.order
