"""Tools, prompts and resources by the names that `@modelcontextprotocol/conformance` asks for."""
