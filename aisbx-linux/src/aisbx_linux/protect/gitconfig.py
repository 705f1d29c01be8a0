"""Git's configuration format, and which of its keys the inside of a sandbox may write.

`.git/config` can't be write-protected: git replaces it by a rename, so that `remote add`, `push -u`, `worktree add`
and `config user.name` would all fail on a mount. It is compared at the end instead. What may be written is an
allow-list: of git's some 800 keys dozens name a program, and every release adds some (`gc.recentObjectsHook`,
`gpg.ssh.defaultKeyCommand`).

The parser follows git's own, character by character (config.c, `git_parse_source`), since where two parsers differ an
attack lives. What git would refuse to read gives None.
"""

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


def parse(data: bytes) -> "list[tuple[str, str | None]] | None":
    """Give (name, value) in the order of the file; None if git could not read it.

    Names are as git gives them, `section.key` or `section.Sub.Section.key`; bytes are mapped to the characters of
    Latin-1. A value is None where a key stands alone. A zero byte makes the file unreadable here, though not to git.
    """
    if b"\0" in data:
        return None
    reader = _Reader(data.decode("latin-1").removeprefix("\xef\xbb\xbf"))
    entries: list[tuple[str, str | None]] = []
    base = ""
    comment = False
    try:
        while True:
            char = reader.next()
            if char == "\n":
                if reader.ended:
                    return entries
                comment = False
            elif comment or char in _SPACE:
                pass
            elif char in "#;":
                comment = True
            elif char == "[":
                base = _section(reader) + "."
            elif char in _ALPHA:
                entries.append(_entry(reader, base + char.lower()))
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


def _entry(reader: _Reader, name: str) -> "tuple[str, str | None]":
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


def _value(reader: _Reader) -> str:
    value = ""
    quoted = comment = False
    blanks = 0
    while True:
        char = reader.next()
        if char == "\n":
            if quoted:
                raise _MalformedError
            return value
        if comment:
            continue
        if not quoted and char in _SPACE:
            blanks += bool(value)
            continue
        if not quoted and char in "#;":
            comment = True
            continue
        value += " " * blanks
        blanks = 0
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


def serialise(entries: "list[tuple[str, str | None]]") -> bytes:
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


# section → keys that may be written, of `[section]` and of `[section "…"]`. None of them names a program, a file that
# git reads as configuration, or another place for credentials to go to.
_PLAIN = {
    "advice": None,
    "color": None,
    "column": None,
    "extensions": {"objectformat", "worktreeconfig", "partialclone", "noop", "preciousobjects", "relativeworktrees"},
    "user": {"name", "email", "signingkey", "useconfigonly"},
    "author": {"name", "email"},
    "committer": {"name", "email"},
    "init": {"defaultbranch", "defaultobjectformat"},
    "pull": {"rebase", "ff"},
    "push": {"default", "autosetupremote", "followtags", "gpgsign", "recursesubmodules", "useforceifincludes"},
    "fetch": {"prune", "prunetags", "parallel", "recursesubmodules", "writecommitgraph", "output", "all"},
    "merge": {"ff", "conflictstyle", "log", "renames", "renamelimit", "stat", "autostash", "directoryrenames"},
    "rebase": {"autosquash", "autostash", "stat", "updaterefs", "abbreviatecommands", "missingcommitscheck"},
    "rerere": {"enabled", "autoupdate"},
    "commit": {"gpgsign", "status", "verbose", "cleanup"},
    "tag": {"sort", "gpgsign", "forcesignannotated"},
    "branch": {"autosetupmerge", "autosetuprebase", "sort"},
    "checkout": {"defaultremote", "guess", "workers"},
    "status": None,
    "log": {"date", "decorate", "follow", "abbrevcommit", "showroot", "showsignature", "mailmap"},
    "diff": {"algorithm", "renames", "renamelimit", "context", "colormoved", "mnemonicprefix", "noprefix", "submodule"},
    "stash": {"showpatch", "showstat", "showincludeuntracked"},
    "submodule": {"active", "recurse", "fetchjobs", "propagatebranches"},
    "index": {"version", "threads", "sparse", "recordendofindexentries", "recordoffsettable"},
    "gc": {"auto", "autodetach", "autopacklimit", "pruneexpire", "reflogexpire", "worktreepruneexpire", "packrefs"},
    "maintenance": {"auto", "strategy"},
    "pack": {"threads", "window", "depth", "windowmemory", "writebitmaps", "writereverseindex"},
    "feature": {"manyfiles", "experimental"},
    "lfs": {"repositoryformatversion"},
    "core": {
        "abbrev",
        "autocrlf",
        "bare",
        "bigfilethreshold",
        "commentchar",
        "compression",
        "eol",
        "filemode",
        "fscache",
        "ignorecase",
        "logallrefupdates",
        "multipackindex",
        "precomposeunicode",
        "quotepath",
        "repositoryformatversion",
        "safecrlf",
        "sparsecheckout",
        "sparsecheckoutcone",
        "symlinks",
        "trustctime",
        "untrackedcache",
        "whitespace",
    },
}
_NAMED = {
    "branch": {"remote", "merge", "rebase", "pushremote", "description"},
    "remote": {
        "url",
        "pushurl",
        "fetch",
        "push",
        "mirror",
        "tagopt",
        "prune",
        "prunetags",
        "skipdefaultupdate",
        "skipfetchall",
        "promisor",
        "partialclonefilter",
    },
    "submodule": {"url", "active", "branch", "ignore", "shallow", "fetchrecursesubmodules"},
    "color": None,
    "lfs": {"access", "locksverify"},
}
_UPDATES = frozenset({"checkout", "rebase", "merge", "none"})


def allowed(name: str, value: "str | None") -> bool:
    """Say whether the inside may write this entry; `core.worktree` is for the caller, who knows the directory."""
    section, sub, key = split(name)
    table = _PLAIN if sub is None else _NAMED
    if section == "submodule" and sub is not None and key == "update":
        return value in _UPDATES  # `!command` runs it
    if section not in table:
        return False
    keys = table[section]
    if keys is not None and key not in keys:
        return False
    # `ext::sh -c …` and other transport helpers run programs; so may a host that reads as an option.
    return key not in ("url", "pushurl", "remote", "pushremote") or not _runs(value or "")


def _runs(url: str) -> bool:
    helper, colons, _ = url.partition("::")
    return url.startswith("-") or (bool(colons) and not helper.strip(_WORD))


_WORD = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-_"
