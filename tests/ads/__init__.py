"""The xDS server against the real thing: Envoy, the client in gRPC, a client of our own, and sockets."""
