"""Which names are protected, and why: the table behind `scan` and `settle`.

A name belongs here if something on the host reads it *by itself* and can be made to run a command by it: because a
shell enters the directory, an editor or an agent opens it, or git is merely asked for its status. What a person
starts by name (`Makefile`, `package.json`, `build.rs`, `.venv/bin/python`) does not: that is the work itself, and the
next sandbox runs it.

All names count at any depth, because people open sub-projects on their own and git finds the nearest repository
upwards; only below `node_modules` and `site-packages` the names of `NAMES` don't, since packages ship dozens of such
directories and nobody opens a package as a project. What git itself trusts is looked for there too.
Names are compared in lower case: on a case-folding file system `.GIT` is `.git`.
"""

SHELL = "a shell runs it at login or start, or it is linked from a home"
ENTER = "a shell hook runs it when the directory is entered"
EDITOR = "an editor reads tasks, tool paths and settings from it when the directory is opened"
AGENT = "an agent starts the servers and hooks that it names"
DEBUG = "a tool runs it from the current directory at start"
HOOKS = "a hook manager's entry in .git/hooks runs what it names"
GIT = "git on the host trusts it"
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
    ".login": SHELL,
    ".xinitrc": SHELL,
    ".xprofile": SHELL,
    ".xsession": SHELL,
    ".xsessionrc": SHELL,
    ".pam_environment": SHELL,
    ".ssh": SHELL,
    ".tmux.conf": SHELL,
    ".screenrc": SHELL,
    ".inputrc": SHELL,
    ".envrc": ENTER,
    ".direnvrc": ENTER,
    ".autoenv": ENTER,
    ".autoenv.zsh": ENTER,
    ".autoenv_leave.zsh": ENTER,
    ".mise.toml": ENTER,
    ".mise.local.toml": ENTER,
    "mise.toml": ENTER,
    "mise.local.toml": ENTER,
    ".mise": ENTER,
    "mise": ENTER,
    ".rtx.toml": ENTER,
    ".vscode": EDITOR,
    ".idea": EDITOR,
    ".fleet": EDITOR,
    ".zed": EDITOR,
    ".vs": EDITOR,
    ".devcontainer": EDITOR,
    ".devcontainer.json": EDITOR,
    ".exrc": EDITOR,
    ".vimrc": EDITOR,
    ".gvimrc": EDITOR,
    ".nvimrc": EDITOR,
    ".nvim.lua": EDITOR,
    ".lvimrc": EDITOR,
    ".vim": EDITOR,
    ".dir-locals.el": EDITOR,
    ".dir-locals-2.el": EDITOR,
    ".emacs": EDITOR,
    ".emacs.d": EDITOR,
    ".claude": AGENT,
    ".claude.json": AGENT,
    ".mcp.json": AGENT,
    ".codex": AGENT,
    ".cursor": AGENT,
    ".windsurf": AGENT,
    ".gemini": AGENT,
    ".qwen": AGENT,
    ".kiro": AGENT,
    ".continue": AGENT,
    ".roo": AGENT,
    ".cline": AGENT,
    ".amazonq": AGENT,
    ".junie": AGENT,
    ".trae": AGENT,
    ".augment": AGENT,
    ".goose": AGENT,
    ".factory": AGENT,
    ".opencode": AGENT,
    "opencode.json": AGENT,
    "opencode.jsonc": AGENT,
    ".crush.json": AGENT,
    "crush.json": AGENT,
    ".aider.conf.yml": AGENT,
    ".gdbinit": DEBUG,
    ".lldbinit": DEBUG,
    ".pdbrc": DEBUG,
    ".rprofile": DEBUG,
    ".irbrc": DEBUG,
    ".pryrc": DEBUG,
    ".husky": HOOKS,
    ".pre-commit-config.yaml": HOOKS,
    ".pre-commit-config.yml": HOOKS,
    "lefthook.yml": HOOKS,
    "lefthook.yaml": HOOKS,
    "lefthook.toml": HOOKS,
    "lefthook.json": HOOKS,
    ".lefthook.yml": HOOKS,
    ".lefthook.yaml": HOOKS,
    ".lefthook": HOOKS,
    ".overcommit.yml": HOOKS,
    ".simple-git-hooks.json": HOOKS,
    ".simple-git-hooks.js": HOOKS,
    ".gitmodules": GIT,
    ".gitconfig": GIT,
    "aisbx.toml": OURS,
    ".aisbx": OURS,
}
# Too plain to be protected everywhere: only in a directory of this name.
ONLY_BELOW = {"mise": ".config"}
SUFFIXES = {".code-workspace": EDITOR}

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
