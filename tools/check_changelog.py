"""Check the names in changelog.d/: towncrier skips a fragment of an unknown kind without a word."""

import os
import re
import sys
import tomllib
from typing import Any

with open("pyproject.toml", "rb") as file:
    settings: dict[str, Any] = tomllib.load(file)["tool"]["towncrier"]
kinds = "|".join(kind["directory"] for kind in settings["type"])
names = [name for name in os.listdir(str(settings["directory"])) if name not in ("README.md", ".gitignore")]
bad = [name for name in names if not re.fullmatch(rf"\+?[a-z0-9-]+\.(?:{kinds})\.md", name)]
if bad:
    sys.exit(f"changelog.d: {', '.join(sorted(bad))}: name a fragment +TOPIC.KIND.md, with KIND one of {kinds}")
print(f"changelog.d: {len(names)} fragments")
