package catalog.authz_test

import data.catalog.authz

call(operation, claims) := {"sidegate": {"operation_id": operation, "claims": claims}}

reader := {"sub": "rita", "scope": "items:read"}

admin := {"sub": "ada", "scope": "items:read items:write items:admin"}

test_reader_lists if authz.allow with input as call("listItems", reader)

test_reader_does_not_delete if {
	not authz.allow with input as call("deleteItem", reader)
	authz.reasons == {"scope items:admin missing"} with input as call("deleteItem", reader)
}

test_admin_deletes if authz.allow with input as call("deleteItem", admin)

test_pages_are_public if authz.allow with input as call("getPublicPage", {})

test_me_needs_a_token if {
	not authz.allow with input as call("getMe", {})
}

test_new_operations_are_closed if {
	not authz.allow with input as call("notThoughtOf", admin)
}
