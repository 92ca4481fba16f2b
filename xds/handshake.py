"""The names under which companions reach a shared control plane: one gRPC service beside ADS, JSON in and out."""

from __future__ import annotations

SERVICE = "sidegate.v1.Companions"
FOLLOW = "Follow"
"""A stream for as long as a companion lives, so that nobody asks for what has not changed.

Up: `{"node": NODE, "service": SERVICE}` first; `{"report": {...}}` at the beginning and whenever it is another (the document
of `PUT /companions/{node}`); `{}` as a sign of life; `{"bye": true}` at the end of a companion that means to go.
Down, at once and whenever any of it is another: `{"taken": HOW MANY REPORTS, "every": SECONDS, "needed": {...}, "wanted":
{...}, "withheld": {...}, "sources": {"revision": TEXT, "order": NUMBER}}`. It counts for the report that is `taken` last.
`every` is how often a sign of life is due, `sources` what `SOURCES` would answer; of the same revision nothing is fetched.
"""
SOURCES = "Sources"
"""`{"service": SERVICE}` -> what `xds.handout` makes; `{}` if there is nothing."""
EDGE = "edge"
"""What the companion of the gateway in front of all services calls its service."""
RATE_LIMIT = "ratelimit"
"""The name of the rate limit service, which is given limits and nothing else."""
RESERVED = frozenset({EDGE, RATE_LIMIT, "platform"})
"""No service can be called so: who may be that node is no service's to say, and policies/platform/ is for everybody."""
KEPT = 3
"""How many digests of one service version a companion offers, whatever routes name."""
EVERY_S = 2.0
"""How often a sign of life is due of few companions, and a report of the one beside a control plane is repeated."""
MISSED = 3
"""After so many that did not come a companion is taken for gone."""
