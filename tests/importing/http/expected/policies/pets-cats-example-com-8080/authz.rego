# Who may do what with pets-cats-example-com-8080. Whatever no rule allows is refused; the contract's `security` is checked before.
package pets_cats_example_com_8080.authz

default allow := false

# Nothing was asked for.
open_to_all := {
	"getCats",
}

allow if {
	input.sidegate.operation_id in open_to_all
}
