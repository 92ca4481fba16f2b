"""`sidegate test`: contract tests for teams without pytest. Nothing here imports it."""
