"""What a record has of a command line that is very long: its beginning, and how much there was."""

LONGEST = 1 << 14
"""Characters of a word."""
MOST = 1 << 17
"""Characters of all words together."""


def bounded(argv: list[str]) -> list[str]:
    """Give the words that a record has; where some are left out, the last one says how many."""
    found: list[str] = []
    left = MOST
    for number, word in enumerate(argv):
        if left <= 0:
            found.append(f"... ({len(argv) - number} more words)")
            break
        kept = min(len(word), LONGEST, left)
        left -= kept + 1  # an empty word is one too
        found.append(word if kept == len(word) else f"{word[:kept]}... ({len(word)} characters)")
    return found
