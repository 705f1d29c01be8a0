"""The SDK, imported sooner than it imports itself."""

from importlib import import_module

from pydantic import BaseModel

_REVISION = "2025-11-25"
"""The latest that begins with `initialize`; it stands for all before it."""


def load_sdk() -> None:
    """Import it; a model of its protocol gets its validator when it is first used, as pydantic's `defer_build` says.

    It knows some four hundred of them, for two revisions and both sides of a connection; one client needs a few dozen,
    and waits for its first answer meanwhile: all at once are an eighth of the start.
    """
    import_module("mcp_types")  # at its end are adapters, which need theirs at once
    BaseModel.model_config["defer_build"] = True  # what is derived from now on inherits it
    try:
        import_module("mcp.server.mcpserver")
    finally:
        del BaseModel.model_config["defer_build"]


def ready_a_call() -> None:
    """Get the models ready that a first call takes: its client does not wait for the others."""
    from mcp_types.methods import serialize_server_result, validate_client_notification, validate_client_request

    validate_client_notification("notifications/initialized", _REVISION, None)
    validate_client_request("tools/call", _REVISION, {"name": ""})
    serialize_server_result("tools/call", _REVISION, {"content": [{"type": "text", "text": ""}]})
