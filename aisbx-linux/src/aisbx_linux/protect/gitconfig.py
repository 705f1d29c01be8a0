"""Git's configuration format: read it as git does, and write it.

The parser follows git's own, character by character (config.c, `git_parse_source`), since where two parsers differ an
attack lives. What git would refuse to read gives None.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    Entry = tuple[str, str | None]
    Piece = tuple[int, int, str, str | None, str | None]

_SPACE = " \t\r\n"
_ESCAPES = {"t": "\t", "b": "\b", "n": "\n", "\\": "\\", '"': '"'}
_KEY = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")
_ALPHA = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


class _MalformedError(Exception):
    """Git would say: bad config line."""


class _Reader:
    """The text, one character at a time; the end of file reads as a line feed, as in git."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.ended = False

    def next(self) -> str:
        at = self.at
        if at >= len(self.text):
            self.ended = True
            return "\n"
        char = self.text[at]
        self.at = at + 1
        if char == "\r" and self.text[at + 1 : at + 2] == "\n":
            self.at = at + 2
            return "\n"
        return char


def parse(data: bytes) -> "list[Entry] | None":
    """Give (name, value) in the order of the file; None if git could not read it.

    Names are as git gives them, `section.key` or `section.Sub.Section.key`; bytes are mapped to the characters of
    Latin-1. A value is None where a key stands alone. A zero byte makes the file unreadable here, though not to git.
    """
    found = pieces(data)
    return None if found is None else [(name, value) for _, _, _, name, value in found if name is not None]


def pieces(data: bytes) -> "list[Piece] | None":
    """Give each section's head and each entry with where it stands: (start, end, section, name, value).

    `start` and `end` are offsets in bytes; an entry ends behind its line feed. Of a head, name and value are None.
    None if git could not read it.
    """
    if b"\0" in data:
        return None
    reader = _Reader(data.decode("latin-1"))
    reader.at = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    found: list[Piece] = []
    base = ""
    comment = False
    try:
        while True:
            char = reader.next()
            start = reader.at - 1
            if char == "\n":
                if reader.ended:
                    return found
                comment = False
            elif comment or char in _SPACE:
                pass
            elif char in "#;":
                comment = True
            elif char == "[":
                base = _section(reader) + "."
                found.append((start, reader.at, base, None, None))
            elif char in _ALPHA:
                name, value = _entry(reader, base + char.lower())
                found.append((start, reader.at, base, name, value))
            else:
                return None
    except _MalformedError:
        return None


def _section(reader: _Reader) -> str:
    name = ""
    while True:
        char = reader.next()
        if reader.ended:
            raise _MalformedError
        if char == "]":
            return name
        if char in _SPACE:
            return name + "." + _subsection(reader, char)
        if char not in _KEY and char != ".":
            raise _MalformedError
        name += char.lower()


def _subsection(reader: _Reader, char: str) -> str:
    while char in _SPACE:
        if char == "\n":
            raise _MalformedError
        char = reader.next()
    if char != '"':
        raise _MalformedError
    name = ""
    while True:
        char = reader.next()
        if char == '"':
            break
        if char == "\\":
            char = reader.next()
        if char == "\n":
            raise _MalformedError
        name += char
    if reader.next() != "]":
        raise _MalformedError
    return name


def _entry(reader: _Reader, name: str) -> "Entry":
    while True:
        char = reader.next()
        if reader.ended or char not in _KEY:
            break
        name += char.lower()
    while char in (" ", "\t"):
        char = reader.next()
    if char == "\n":
        return name, None
    if char != "=":
        raise _MalformedError
    return name, _value(reader)


def _value(reader: _Reader) -> str:  # noqa: C901  (as parse_value in git: easier to compare in one piece)
    value = ""
    quoted = comment = False
    blanks = ""
    while True:
        char = reader.next()
        if char == "\n":
            if quoted:
                raise _MalformedError
            return value
        if comment:
            continue
        if not quoted and char in _SPACE:
            blanks += char if value else ""  # git before 2.45 makes them plain spaces
            continue
        if not quoted and char in "#;":
            comment = True
            continue
        value += blanks
        blanks = ""
        if char == "\\":
            char = reader.next()
            if char == "\n":
                continue
            if char not in _ESCAPES:
                raise _MalformedError
            value += _ESCAPES[char]
        elif char == '"':
            quoted = not quoted
        else:
            value += char


def serialise(entries: "list[Entry]") -> bytes:
    """Write entries so that `parse` and git read the same ones; comments of an earlier file are gone."""
    lines: list[str] = []
    last = None
    for name, value in entries:
        section, sub, key = split(name)
        if (section, sub) != last:
            last = section, sub
            quoted = "" if sub is None else ' "' + sub.replace("\\", "\\\\").replace('"', '\\"') + '"'
            lines.append(f"[{section}{quoted}]\n")
        if value is None:
            lines.append(f"\t{key}\n")
        else:
            for plain, escape in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t"), ("\b", "\\b")):
                value = value.replace(plain, escape)  # noqa: PLW2901  (a translation table costs an import)
            lines.append(f'\t{key} = "{value}"\n')
    return "".join(lines).encode("latin-1")


def split(name: str) -> "tuple[str, str | None, str]":
    """Take a name apart into section, subsection (None: there is none) and key."""
    section, _, rest = name.partition(".")
    sub, dot, key = rest.rpartition(".")
    return section, (sub if dot else None), key
