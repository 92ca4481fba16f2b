# Who is known everywhere.
package platform.callers

known if not input.sidegate.claims.sub in {"mallory"}
