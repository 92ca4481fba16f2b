"""The HTTP filters, one a file; `xds.envoy.chain` has their order."""
