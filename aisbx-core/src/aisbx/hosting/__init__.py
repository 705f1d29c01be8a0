"""What hosts that are reached over HTTP have in common; `connection` needs uvicorn, which those bring."""
