# Who may do what with pets. Whatever no rule allows is refused; the contract's `security` is checked before.
package pets.authz

default allow := false

# A verified token.
open_to_tokens := {
	"deleteDogsByDogId",
	"getDogs",
	"getDogsByDogId",
	"headDogsByDogId",
	"patchDogsByDogId",
	"postDogsByDogId",
	"putDogsByDogId",
}

allow if {
	input.sidegate.operation_id in open_to_tokens
	count(input.sidegate.claims) > 0
	scope_fits
}

# One of these scopes, as the authorizer had it.
scopes_for := {
	"deleteDogsByDogId": {"dogs:read", "dogs:write"},
	"getDogsByDogId": {"dogs:read", "dogs:write"},
	"headDogsByDogId": {"dogs:read", "dogs:write"},
	"patchDogsByDogId": {"dogs:read", "dogs:write"},
	"postDogsByDogId": {"dogs:read", "dogs:write"},
	"putDogsByDogId": {"dogs:read", "dogs:write"},
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
