"""Operation -> requests that keep to it and requests with one thing wrong, made from real contracts."""
