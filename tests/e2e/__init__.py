"""What end-to-end tests share: a real gateway, an upstream that keeps raw bytes, an OTLP collector, a process table."""
