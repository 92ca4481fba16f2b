"""The roles of the image, as processes: sidecar, envoy, control-plane, companion; status and doctor."""
