"""Answers as JSON, in ASCII: words and paths may hold what is no UTF-8, and no such one may cost an answer."""

import json

from starlette.responses import JSONResponse


class Json(JSONResponse):
    """As its parent, with whatever is no ASCII escaped: a byte that is no UTF-8 is a lone surrogate (PEP 383)."""

    def render(self, content: object) -> bytes:
        """Give the body."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")
