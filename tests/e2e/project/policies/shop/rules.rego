# One rule a place that x-sidegate can be at: each allows one person.
package shop.rules

default document := false

document if input.sidegate.claims.sub == "dora"

default path_item := false

path_item if input.sidegate.claims.sub == "paula"

default operation := false

operation if input.sidegate.claims.sub == "olga"

# No default on purpose: where it does not hold, it is undefined.
silent if input.sidegate.claims.sub == "silas"
