# Who may do what with the catalog, whatever the version.
package catalog.authz

import data.platform.claims

default allow := false

# Anybody, with or without a token.
open_to_all := {"getPublicPage"}

# Whoever has a token.
open_to_callers := {"getMe"}

# Whoever has the scope.
scope_for := {
	"listItems": "items:read",
	"getItem": "items:read",
	"createItem": "items:write",
	"changeItem": "items:write",
	"upload": "items:write",
	"deleteItem": "items:admin",
}

allow if input.sidegate.operation_id in open_to_all

allow if {
	input.sidegate.operation_id in open_to_callers
	claims.subject
}

allow if scope_for[input.sidegate.operation_id] in claims.scopes

# Why not: what the caller is told, and what the log says.
reasons contains sprintf("scope %s missing", [scope]) if {
	scope := scope_for[input.sidegate.operation_id]
	not scope in claims.scopes
}
