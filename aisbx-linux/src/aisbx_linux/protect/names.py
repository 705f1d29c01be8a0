"""Which names are protected, and why: the table behind `scan` and `settle`.

A name belongs here if something on the host reads it *by itself* and can be made to run a command by it: because a
shell enters the directory, an editor or an agent opens it, or git is merely asked for its status. What a person
starts by name (`Makefile`, `package.json`, `build.rs`, `.venv/bin/python`) does not: that is the work itself, and the
next sandbox runs it. Nor does what is the work to an editor (`eslint.config.js`, `pyproject.toml`, `pom.xml`: editors
ask whether a directory is to be trusted), what is read as prose (`AGENTS.md`, `CLAUDE.md`, `.cursorrules`), or what
only chooses among versions that are installed (`.nvmrc`, `.python-version`). `.tool-versions` and `rust-toolchain` can
name a directory, whose programs a prompt runs to show their version. `.env` is sourced by plugins that ask first.

All names count at any depth, because people open sub-projects on their own and git finds the nearest repository
upwards; only below `node_modules` and `site-packages` the names of `NAMES` don't, since packages ship dozens of such
directories and nobody opens a package as a project. What git itself trusts is looked for there too.
Names are compared folded: in a directory that folds case `.GIT` is `.git`.
"""

SHELL = "a shell runs it at login or start, or it is linked from a home"
ENTER = "a shell hook runs it when the directory is entered"
EDITOR = "an editor reads tasks, tool paths and settings from it when the directory is opened"
AGENT = "an agent starts the servers and hooks that it names"
DEBUG = "a tool runs it from the current directory at start"
HOOKS = "a hook manager's entry in .git/hooks runs what it names"
GIT = "git on the host trusts it"
OTHER = "another version control runs the hooks, tools and aliases that it names"
OURS = "aisbx itself reads it"

# name in lower case → why. Files and directories alike.
NAMES = {
    ".bashrc": SHELL,
    ".bash_profile": SHELL,
    ".bash_login": SHELL,
    ".bash_logout": SHELL,
    ".bash_aliases": SHELL,
    ".profile": SHELL,
    ".zshrc": SHELL,
    ".zshenv": SHELL,
    ".zprofile": SHELL,
    ".zlogin": SHELL,
    ".zlogout": SHELL,
    ".kshrc": SHELL,
    ".mkshrc": SHELL,
    ".cshrc": SHELL,
    ".tcshrc": SHELL,
    ".xonshrc": SHELL,
    ".login": SHELL,
    ".xinitrc": SHELL,
    ".xserverrc": SHELL,
    ".xprofile": SHELL,
    ".xsession": SHELL,
    ".xsessionrc": SHELL,
    ".pam_environment": SHELL,
    ".ssh": SHELL,
    ".tmux.conf": SHELL,
    ".screenrc": SHELL,
    ".inputrc": SHELL,
    ".forward": SHELL,
    ".procmailrc": SHELL,
    ".rhosts": SHELL,
    ".shosts": SHELL,
    ".ripgreprc": SHELL,
    "fish": SHELL,
    "autostart": SHELL,
    "systemd": SHELL,
    "environment.d": SHELL,
    ".envrc": ENTER,
    ".envrc.local": ENTER,
    ".envrc.private": ENTER,
    ".direnvrc": ENTER,
    "direnv": ENTER,
    ".autoenv": ENTER,
    ".autoenv.zsh": ENTER,
    ".autoenv_leave.zsh": ENTER,
    ".autoenv.leave": ENTER,
    ".shadowenv.d": ENTER,
    ".rvmrc": ENTER,
    ".ondirrc": ENTER,
    ".mise.toml": ENTER,
    ".mise.local.toml": ENTER,
    "mise.toml": ENTER,
    "mise.local.toml": ENTER,
    ".mise": ENTER,
    "mise": ENTER,
    ".rtx.toml": ENTER,
    ".tool-versions": ENTER,
    "rust-toolchain": ENTER,
    "rust-toolchain.toml": ENTER,
    ".vscode": EDITOR,
    ".idea": EDITOR,
    ".fleet": EDITOR,
    ".zed": EDITOR,
    ".helix": EDITOR,
    ".nova": EDITOR,
    ".lapce": EDITOR,
    ".theia": EDITOR,
    ".kateproject": EDITOR,
    ".externaltoolbuilders": EDITOR,
    ".vs": EDITOR,
    ".devcontainer": EDITOR,
    ".devcontainer.json": EDITOR,
    ".exrc": EDITOR,
    ".vimrc": EDITOR,
    ".gvimrc": EDITOR,
    ".nvimrc": EDITOR,
    ".nvim.lua": EDITOR,
    ".nvim": EDITOR,
    ".lazy.lua": EDITOR,
    "nvim": EDITOR,
    "helix": EDITOR,
    ".lvimrc": EDITOR,
    ".local.vimrc": EDITOR,
    ".vim": EDITOR,
    ".dir-locals.el": EDITOR,
    ".dir-locals-2.el": EDITOR,
    ".emacs": EDITOR,
    ".emacs.d": EDITOR,
    ".ycm_extra_conf.py": EDITOR,
    ".luarc.json": EDITOR,
    ".luarc.jsonc": EDITOR,
    ".claude": AGENT,
    ".claude.json": AGENT,
    ".mcp.json": AGENT,
    ".codex": AGENT,
    ".agents": AGENT,
    ".cursor": AGENT,
    ".windsurf": AGENT,
    ".gemini": AGENT,
    ".qwen": AGENT,
    ".kiro": AGENT,
    ".continue": AGENT,
    ".roo": AGENT,
    ".cline": AGENT,
    ".clinerules": AGENT,
    ".kilocode": AGENT,
    ".amazonq": AGENT,
    ".junie": AGENT,
    ".trae": AGENT,
    ".augment": AGENT,
    ".goose": AGENT,
    ".factory": AGENT,
    ".amp": AGENT,
    ".copilot": AGENT,
    ".openhands": AGENT,
    ".grok": AGENT,
    ".vibe": AGENT,
    ".pi": AGENT,
    ".rovodev": AGENT,
    ".codebuddy": AGENT,
    ".qoder": AGENT,
    ".iflow": AGENT,
    ".antigravity": AGENT,
    ".opencode": AGENT,
    ".opencode.json": AGENT,
    "opencode.json": AGENT,
    "opencode.jsonc": AGENT,
    ".crush.json": AGENT,
    "crush.json": AGENT,
    ".aider.conf.yml": AGENT,
    "hooks": AGENT,
    ".gdbinit": DEBUG,
    ".lldbinit": DEBUG,
    ".pdbrc": DEBUG,
    ".perldb": DEBUG,
    ".byebugrc": DEBUG,
    ".rdebugrc": DEBUG,
    ".rprofile": DEBUG,
    ".renviron": DEBUG,
    ".octaverc": DEBUG,
    ".ghci": DEBUG,
    ".ocamlinit": DEBUG,
    ".iex.exs": DEBUG,
    ".erlang": DEBUG,
    ".irbrc": DEBUG,
    ".pryrc": DEBUG,
    ".latexmkrc": DEBUG,
    "latexmkrc": DEBUG,
    "jupyter_config.py": DEBUG,
    "jupyter_lab_config.py": DEBUG,
    "jupyter_notebook_config.py": DEBUG,
    "jupyter_server_config.py": DEBUG,
    ".husky": HOOKS,
    ".huskyrc": HOOKS,
    ".huskyrc.json": HOOKS,
    ".huskyrc.js": HOOKS,
    ".pre-commit-config.yaml": HOOKS,
    ".pre-commit-config.yml": HOOKS,
    "prek.toml": HOOKS,
    "hk.pkl": HOOKS,
    "captainhook.json": HOOKS,
    ".rusty-hook.toml": HOOKS,
    ".cargo-husky": HOOKS,
    "lefthook.yml": HOOKS,
    "lefthook.yaml": HOOKS,
    "lefthook.toml": HOOKS,
    "lefthook.json": HOOKS,
    "lefthook-local.yml": HOOKS,
    "lefthook-local.yaml": HOOKS,
    "lefthook-local.toml": HOOKS,
    "lefthook-local.json": HOOKS,
    ".lefthook.yml": HOOKS,
    ".lefthook.yaml": HOOKS,
    ".lefthook.toml": HOOKS,
    ".lefthook.json": HOOKS,
    ".lefthook-local.yml": HOOKS,
    ".lefthook-local.yaml": HOOKS,
    ".lefthook-local.toml": HOOKS,
    ".lefthook-local.json": HOOKS,
    ".lefthook": HOOKS,
    ".lefthook-local": HOOKS,
    ".overcommit.yml": HOOKS,
    ".simple-git-hooks.json": HOOKS,
    ".simple-git-hooks.js": HOOKS,
    ".simple-git-hooks.cjs": HOOKS,
    "simple-git-hooks.json": HOOKS,
    "simple-git-hooks.js": HOOKS,
    "simple-git-hooks.cjs": HOOKS,
    ".gitmodules": GIT,
    ".gitconfig": GIT,
    ".lfsconfig": GIT,
    "git": GIT,
    "hgrc": OTHER,
    "hgrc-not-shared": OTHER,
    "sharedpath": OTHER,
    "config": OTHER,
    "config.toml": OTHER,
    "defaults": OTHER,
    "aisbx.toml": OURS,
    ".aisbx": OURS,
}
# Too plain to be protected everywhere: only in a directory whose path ends so.
ONLY_BELOW = {
    "mise": (".config",),
    "fish": (".config",),
    "autostart": (".config",),
    "systemd": (".config",),
    "environment.d": (".config",),
    "direnv": (".config",),
    "nvim": (".config",),
    "helix": (".config",),
    "git": (".config",),
    "hooks": (".github",),
    "hgrc": (".hg",),
    "hgrc-not-shared": (".hg",),
    "sharedpath": (".hg",),
    "config": (".sl", ".pijul"),
    "config.toml": (".jj/repo",),
    "defaults": ("_darcs/prefs",),
}
# Where a link in the user's home leads into a workspace: place below the home → names.
AT_HOME: dict[str, list[str]] = {}
for _name in NAMES:
    for _place in ONLY_BELOW.get(_name, ("",)):
        AT_HOME.setdefault(_place, []).append(_name)

SUFFIXES = {".code-workspace": EDITOR, ".sublime-project": EDITOR, ".ipr": EDITOR, ".iws": EDITOR}

# Here NAMES do not count (see above).
DEPENDENCIES = frozenset({"node_modules", "site-packages"})

# What is looked at in a repository (`.git`, or anything shaped like a bare one).
REPOSITORY = {
    "hooks": "git runs the programs in it",
    "config": "git runs what core.fsmonitor, core.sshCommand, filter.*, alias.* and others name",
    "config.worktree": "as config",
    "commondir": "it says where the repository's config and hooks are",
    "gitdir": "it says where a worktree is",
    "logs": "git appends to its files, through links too",
    "refs": "git writes its files",
    "info": "git writes its files",
    "rebase-merge": "`git rebase --continue` runs the exec lines of its list",
    "modules": "the repositories of submodules",
    "worktrees": "the private parts of linked worktrees",
}
# Not protected: `.gitattributes` and `info/attributes` only choose among the filters of a config that is; objects and
# lfs hold data, which git checks by name; `.github/workflows` runs elsewhere, after a push that a person makes.

SHAPE = frozenset({"head", "objects", "refs", "commondir", *REPOSITORY})


# What such a directory leaves out of a comparison: the ranges of Default_Ignorable_Code_Point (Unicode,
# DerivedCoreProperties.txt). Linux folds by NFDICF, which drops them: Documentation/admin-guide/ext4.rst.
_IGNORED = (
    *((0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F)),
    *((0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF)),
    *((0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)),
)


def folded(name: str) -> str:
    """Give a name as the tables have it, if a directory that folds case takes it for one of theirs."""
    if name.isascii():
        return name.lower()
    return "".join(char for char in name.casefold() if not any(low <= ord(char) <= high for low, high in _IGNORED))
