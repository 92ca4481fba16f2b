"""Two services with their sidecars, one control plane in two replicas, an edge gateway, counted limits: on one machine."""
