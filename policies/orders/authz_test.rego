package orders.authz_test

import data.orders.authz

order(quantity, claims) := {
	"sidegate": {"operation_id": "placeOrder", "claims": claims},
	"parsed_body": {"lines": [{"item": "a", "quantity": quantity}, {"item": "b", "quantity": 1}]},
}

test_small_orders_pass if authz.allow with input as order(99, {"sub": "rita"})

test_large_orders_need_a_buyer if {
	not authz.allow with input as order(100, {"sub": "rita"})
	count(authz.reasons) == 1 with input as order(100, {"sub": "rita"})
}

test_buyers_order_more if authz.allow with input as order(1000, {"sub": "bo", "roles": ["buyer"]})

test_nobody_orders_without_a_token if {
	not authz.allow with input as order(1, {})
}
