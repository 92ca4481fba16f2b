package ref.authz

# Says yes or no, and sends what it decided on to the upstream, where the journal keeps it.
allow := {"allowed": permitted, "headers": {
	"x-policy-path": input.attributes.request.http.path,
	"x-policy-method": input.attributes.request.http.method,
	"x-policy-host": input.attributes.request.http.host,
}}

default permitted := false

permitted if known

permitted if open

known if {
	input.sidegate.version == "v1"
	input.sidegate.claims.sub != "mallory"
}

known if {
	input.sidegate.operation_id == "listItems"
	input.sidegate.claims.sub != "v1-only"
}

open if input.sidegate.operation_id == "getPublic"

open if {
	input.sidegate.version == "v2"
	input.sidegate.operation_id != "listItems"
}
