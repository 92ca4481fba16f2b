"""One module a native feature: what it admits and what it refuses, through a real Envoy under `sidegate up`."""
