# Tells the upstream what the policy was told.
package shop.told

default answer := false

answer := {"allowed": true, "headers": {"x-told": json.marshal(told)}} if input.sidegate.service == "shop"

given := input.sidegate

told := {
	"service": given.service,
	"version": given.version,
	"operation_id": given.operation_id,
	"tags": concat(" ", given.tags),
	"number": given.params.path.number,
	"ids": sum(given.params.query.ids),
	"flag": given.params.header["x-flag"],
	"colour": given.params.cookie.colour,
	"sub": given.claims.sub,
	"aud": given.claims.aud,
	"client": given.client,
}
