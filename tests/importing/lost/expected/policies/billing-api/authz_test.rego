package billing_api.authz_test

import data.billing_api.authz

call(operation, claims, consumer) := {"sidegate": {"operation_id": operation, "claims": claims, "consumer": consumer}}

test_refused if {
	not authz.allow with input as call("deleteInvoicesById", {"iss": "https://issuer.test", "scope": "none"}, "mobile")
}

test_new_operations_are_closed if {
	not authz.allow with input as call("notThoughtOf", {"iss": "https://issuer.test", "scope": "none"}, "mobile")
}
