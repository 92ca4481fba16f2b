package north.authz

default allow := false

allow if input.sidegate.service == "north"
