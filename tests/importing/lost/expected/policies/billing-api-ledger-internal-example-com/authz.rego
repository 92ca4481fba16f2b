# Who may do what with billing-api-ledger-internal-example-com. Whatever no rule allows is refused; the contract's `security` is checked before.
package billing_api_ledger_internal_example_com.authz

default allow := false

# Nothing was asked for.
open_to_all := {
	"getLedger",
}

allow if {
	input.sidegate.operation_id in open_to_all
}
