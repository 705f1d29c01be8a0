"""Images that clients show, known by how they begin."""

_KINDS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
}


def image_type(data: bytes) -> str:
    """Give the media type of an image (PNG, JPEG, GIF, WebP); empty for anything else."""
    kind = next((kind for begins, kind in _KINDS.items() if data.startswith(begins)), "")
    return "" if kind == "image/webp" and data[8:12] != b"WEBP" else kind
