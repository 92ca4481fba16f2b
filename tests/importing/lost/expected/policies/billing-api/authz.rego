# Who may do what with billing-api. Whatever no rule allows is refused; the contract's `security` is checked before.
package billing_api.authz

default allow := false

# No equivalent was found for what decided or answered here. Allow an operation by taking it out and into a set above.
refused := {
	"deleteInvoicesById": "AWS asked for a request signed for IAM",
	"getInvoices": "AWS asked for a request signed for IAM",
	"getInvoicesById": "the Lambda authorizer custom decided",
	"getReport": "its method was changed",
	"headReport": "AWS answers it by a template",
	"patchInvoicesById": "its answer was rewritten by a template",
	"postEvents": "an AWS service (us-west-2:sqs:path/123456789012/events) answered it",
	"postInvoices": "the Lambda function create-invoice answered it",
	"putInvoicesById": "its request was rewritten by a template",
}

reasons contains refused[input.sidegate.operation_id]
