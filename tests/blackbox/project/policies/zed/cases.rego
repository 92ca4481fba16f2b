package zed.cases

# One rule for each way in which a decision can go wrong; an operation of the contract is bound to each.

undefined if input.never

text := "true" if is_get

number := 1 if is_get

list := [] if is_get

object := {} if is_get

assent := {"allow": "yes"} if is_get

allowed_text := {"allowed": "yes"} if is_get

convert if to_number(input.parsed_query.p[0]) > 0

divide if 1 / to_number(input.parsed_query.p[0]) > 0

regex_bad if regex.match(input.parsed_query.p[0], "x")

conflict := true if input.parsed_query.p[0]

conflict := false if input.attributes.request.http.method == "GET"

tenant if input.attributes.request.http.host == concat("", [input.sidegate.claims.tenant, ".test"])

slow if {
	some i in numbers.range(1, 20000)
	some j in numbers.range(1, 20000)
	i * j == -1
}

crlf := {"allowed": true, "headers": {"x-note": "a\r\nx-evil: 1"}} if is_get

pseudo := {"allowed": true, "headers": {":path": "/v1/internal/treasure"}} if is_get

host := {"allowed": true, "headers": {"host": "evil.test"}} if is_get

length := {"allowed": true, "headers": {"content-length": "0"}} if is_get

envoy := {"allowed": true, "headers": {"x-envoy-original-path": "/v1/internal/treasure"}} if is_get

own := {"allowed": true, "headers": {"x-sidegate-operation": "forged"}} if is_get

role if input.attributes.request.http.headers["x-role"] == "operator"

person if input.sidegate.claims.sub == "alice"

body if input.parsed_body.pass == "open"

override if input.attributes.request.http.method != "DELETE"

is_get if input.attributes.request.http.method == "GET"
