package pets.authz_test

import data.pets.authz

call(operation, claims, consumer) := {"sidegate": {"operation_id": operation, "claims": claims, "consumer": consumer}}

test_tokens if authz.allow with input as call("getDogs", {"iss": "https://issuer.test", "scope": "none"}, null)

test_tokens_are_needed if {
	not authz.allow with input as call("getDogs", {}, null)
}

test_new_operations_are_closed if {
	not authz.allow with input as call("notThoughtOf", {"iss": "https://issuer.test", "scope": "none"}, "mobile")
}
