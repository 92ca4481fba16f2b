package platform.claims_test

import data.platform.claims

test_scopes_are_split if {
	claims.scopes == {"a:read", "a:write"} with input as {"sidegate": {"claims": {"scope": "a:read a:write"}}}
}

test_no_token_has_no_scopes if {
	claims.scopes == set() with input as {"sidegate": {"claims": {}}}
}
