package pets_cats_example_com_8080.authz_test

import data.pets_cats_example_com_8080.authz

call(operation, claims, consumer) := {"sidegate": {"operation_id": operation, "claims": claims, "consumer": consumer}}

test_open if authz.allow with input as call("getCats", {}, null)

test_new_operations_are_closed if {
	not authz.allow with input as call("notThoughtOf", {"iss": "https://issuer.test", "scope": "none"}, "mobile")
}
