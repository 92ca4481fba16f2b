# Who may order how much. That the token has the scope is the contract's business and settled before this is asked.
package orders.authz

import data.platform.claims

default allow := false

# Pieces in one order without a buyer's role.
most_pieces := 100

allow if {
	input.sidegate.operation_id in {"listOrders", "getOrder", "cancelOrder"}
	claims.subject
}

allow if {
	input.sidegate.operation_id == "placeOrder"
	claims.subject
	pieces <= most_pieces
}

allow if {
	input.sidegate.operation_id == "placeOrder"
	is_buyer
}

is_buyer if "buyer" in input.sidegate.claims.roles

pieces := sum([line.quantity | some line in input.parsed_body.lines])

reasons contains sprintf("%d pieces in one order need the role buyer; %d do not", [pieces, most_pieces]) if {
	input.sidegate.operation_id == "placeOrder"
	pieces > most_pieces
	not is_buyer
}
