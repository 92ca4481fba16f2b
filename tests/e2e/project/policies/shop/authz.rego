# Whoever is known is served; items cost less than the limit.
package shop.authz

import data.platform.callers

default allow := false

allow if {
	callers.known
	not dear
}

dear if input.parsed_body.price > 1000

reasons contains "mallory is not served here" if not callers.known

reasons contains "too dear for this shop" if dear
