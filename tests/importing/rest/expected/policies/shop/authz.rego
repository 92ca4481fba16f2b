# Who may do what with shop. Whatever no rule allows is refused; the contract's `security` is checked before.
package shop.authz

default allow := false

# Nothing was asked for.
open_to_all := {
	"ListItems",
	"getHealth",
}

allow if {
	input.sidegate.operation_id in open_to_all
}

# An API key, which has a consumer.
open_to_keys := {
	"GetItem",
}

allow if {
	input.sidegate.operation_id in open_to_keys
	is_string(input.sidegate.consumer)
}

# A verified token, and an API key beside it.
open_to_tokens_with_keys := {
	"AddItem",
}

allow if {
	input.sidegate.operation_id in open_to_tokens_with_keys
	count(input.sidegate.claims) > 0
	is_string(input.sidegate.consumer)
	scope_fits
}

# One of these scopes, as the authorizer had it.
scopes_for := {
	"AddItem": {"shop/items.write", "shop/admin"},
}

scope_fits if not scopes_for[input.sidegate.operation_id]

scope_fits if {
	some scope in scopes_for[input.sidegate.operation_id]
	scope in split(input.sidegate.claims.scope, " ")
}

scope_fits if {
	some scope in scopes_for[input.sidegate.operation_id]
	scope in input.sidegate.claims.scp
}

reasons contains "one of its scopes is missing" if {
	scopes_for[input.sidegate.operation_id]
	not scope_fits
}
