package zed.cases

# One rule for each way in which a decision can go wrong; an operation of the contract is bound to each.

undefined if input.never

text := "true"

number := 1

list := []

object := {}

assent := {"allow": "yes"}

allowed_text := {"allowed": "yes"}

convert if to_number(input.parsed_query.p[0]) > 0

divide if 1 / to_number(input.parsed_query.p[0]) > 0

regex_bad if regex.match(input.parsed_query.p[0], "x")

conflict := true if input.parsed_query.p[0]

conflict := false if input.attributes.request.http.method == "GET"

slow if {
	some i in numbers.range(1, 20000)
	some j in numbers.range(1, 20000)
	i * j == -1
}

crlf := {"allowed": true, "headers": {"x-note": "a\r\nx-evil: 1"}}

pseudo := {"allowed": true, "headers": {":path": "/v1/internal/treasure"}}

host := {"allowed": true, "headers": {"host": "evil.test"}}

length := {"allowed": true, "headers": {"content-length": "0"}}

envoy := {"allowed": true, "headers": {"x-envoy-original-path": "/v1/internal/treasure"}}

own := {"allowed": true, "headers": {"x-sidegate-operation": "forged"}}

role if input.attributes.request.http.headers["x-role"] == "operator"

person if input.sidegate.claims.sub == "alice"

body if input.parsed_body.pass == "open"

override if input.attributes.request.http.method != "DELETE"
