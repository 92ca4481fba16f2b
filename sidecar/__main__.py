"""`python -m sidecar`: the companion's command."""

import sys

from sidecar.cli import main

sys.exit(main())
