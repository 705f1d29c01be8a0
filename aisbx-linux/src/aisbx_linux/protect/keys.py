"""Which keys of git's configuration the inside of a sandbox may write.

`.git/config` can't be write-protected: git replaces it by a rename, so that `remote add`, `push -u`, `worktree add`
and `config user.name` would all fail on a mount. It is compared at the end instead. What may be written is an
allow-list: of git's some 800 keys dozens name a program, and releases add more (`gc.recentObjectsHook`,
`gpg.ssh.defaultKeyCommand`).
"""

from aisbx_linux.protect.gitconfig import split

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
