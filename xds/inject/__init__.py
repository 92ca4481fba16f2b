"""manifests + values -> manifests with the sidecar in their pods: what the library chart does, for those without Helm."""
