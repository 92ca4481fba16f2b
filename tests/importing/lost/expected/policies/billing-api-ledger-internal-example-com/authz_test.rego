package billing_api_ledger_internal_example_com.authz_test

import data.billing_api_ledger_internal_example_com.authz

call(operation, claims, consumer) := {"sidegate": {"operation_id": operation, "claims": claims, "consumer": consumer}}

test_open if authz.allow with input as call("getLedger", {}, null)

test_new_operations_are_closed if {
	not authz.allow with input as call("notThoughtOf", {"iss": "https://issuer.test", "scope": "none"}, "mobile")
}
