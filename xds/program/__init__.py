"""Settings -> Lua programs that Envoy runs: their fixed texts, and the data that is written before these."""
