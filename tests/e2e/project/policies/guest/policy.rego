# Written for opa-envoy-plugin: it knows nothing of sidegate.
package envoy.authz

import input.attributes.request.http as http_request

default allow := false

allow := {
	"allowed": true,
	"headers": {"x-guest": "welcome"},
	"response_headers_to_add": {"x-from": "policy"},
	"request_headers_to_remove": ["x-secret"],
} if {
	http_request.method == "GET"
	input.parsed_path == ["guest", "door"]
	input.parsed_query.word == ["please"]
}

allow := {
	"allowed": false,
	"http_status": 418,
	"headers": {"x-why": "impolite"},
	"body": "say the word",
} if input.parsed_query.word == ["now"]
