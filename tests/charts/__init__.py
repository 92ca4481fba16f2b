"""The charts: rendered by a real Helm, judged by Kubernetes' schemas, by golden manifests and by rules in Rego."""
