"""`sidegate up`: a project -> control plane, companion, Envoy and the project's own processes, ended together."""
