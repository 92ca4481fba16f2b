"""Operation -> the rule that refuses its requests from a date on.

The proxy's own clock decides: nobody need be there to change anything, and a proxy that is cut off from its control plane keeps
the date too. It is a rule of the filter for addresses, which is RBAC as well: one filter less for everybody. RBAC can only
answer 403; `xds.envoy.replies` turns this rule's name into the 410 it is.
"""

from __future__ import annotations

from functools import cache

from envoy_data_plane.envoy.config.rbac.v3 import Permission, Policy, Principal
from envoy_data_plane.google.api.expr.v1alpha1 import Constant, Expr, ExprCall, ExprIdent, ExprSelect

from xds.envoy.codec import shared

POLICY = "gone"


@cache
def policy(at: int) -> Policy:
    """Denies every request whose first byte comes at `at` (seconds of the epoch) or later: `int(request.time) >= at`."""
    time = Expr(select_expr=ExprSelect(operand=Expr(ident_expr=ExprIdent(name="request")), field="time"))
    seconds = Expr(call_expr=ExprCall(function="int", args=[time]))
    limit = Expr(const_expr=Constant(int64_value=at))
    past = Expr(call_expr=ExprCall(function="_>=_", args=[seconds, limit]))
    return shared(Policy(permissions=[Permission(any=True)], principals=[Principal(any=True)], condition=past))
