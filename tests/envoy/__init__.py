"""The Envoy back end against Envoy itself."""
