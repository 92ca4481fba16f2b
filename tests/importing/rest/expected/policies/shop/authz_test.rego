package shop.authz_test

import data.shop.authz

call(operation, claims, consumer) := {"sidegate": {"operation_id": operation, "claims": claims, "consumer": consumer}}

test_open if authz.allow with input as call("ListItems", {}, null)

test_keys if authz.allow with input as call("GetItem", {}, "mobile")

test_keys_are_needed if {
	not authz.allow with input as call("GetItem", {}, null)
}

test_tokens_with_keys if authz.allow with input as call("AddItem", {"iss": "https://issuer.test", "scope": "shop/items.write"}, "mobile")

test_tokens_with_keys_are_needed if {
	not authz.allow with input as call("AddItem", {}, null)
}

test_tokens_with_keys_need_a_scope if {
	not authz.allow with input as call("AddItem", {"iss": "https://issuer.test", "scope": "none"}, "mobile")
}

test_new_operations_are_closed if {
	not authz.allow with input as call("notThoughtOf", {"iss": "https://issuer.test", "scope": "none"}, "mobile")
}
