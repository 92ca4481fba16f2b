"""The verbs of the `sidegate` command, one a module: `arguments(parser)` and `run(options) -> exit code`."""
