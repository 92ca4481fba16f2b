package catalog.authz

default allow := true
