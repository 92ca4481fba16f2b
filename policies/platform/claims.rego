# What a verified token says, for the policies of every service.
package platform.claims

# The subject, or undefined without a token.
subject := input.sidegate.claims.sub

# The scopes of RFC 8693, section 4.2: one string, separated by spaces.
scopes := {scope | some scope in split(input.sidegate.claims.scope, " ")}
