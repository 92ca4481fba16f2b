package south.authz

default allow := false

allow if input.sidegate.service == "south"
