"""CEL's syntax trees, for the one filter that takes no text: RBAC's conditions (google.api.expr.v1alpha1)."""

from __future__ import annotations

from envoy_data_plane.google.api.expr.v1alpha1 import Constant, Expr, ExprCall, ExprIdent, ExprSelect


def variable(name: str) -> Expr:
    return Expr(ident_expr=ExprIdent(name=name))


def member(of: Expr, name: str) -> Expr:
    """`of.name`."""
    return Expr(select_expr=ExprSelect(operand=of, field=name))


def at(of: Expr, key: str) -> Expr:
    """`of['key']`."""
    return call("_[_]", of, Expr(const_expr=Constant(string_value=key)))


def call(function: str, *arguments: Expr) -> Expr:
    """A function or an operator, which has its operands' places in its name: `_+_`."""
    return Expr(call_expr=ExprCall(function=function, args=list(arguments)))


def number(value: float) -> Expr:
    return Expr(const_expr=Constant(double_value=value))


def numbered(tree: Expr) -> Expr:
    """The same tree with an id at each node, which CEL asks for."""
    todo, last = [tree], 0
    while todo:
        each = todo.pop()
        last += 1
        each.id = last
        if each.select_expr is not None and each.select_expr.operand is not None:
            todo.append(each.select_expr.operand)
        if each.call_expr is not None:
            todo.extend(each.call_expr.args)
    return tree
