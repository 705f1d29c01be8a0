"""`python -m aisbx_mcp`: the same as `aisbx-mcp`."""

import sys

from aisbx_mcp.main import main

sys.exit(main())
