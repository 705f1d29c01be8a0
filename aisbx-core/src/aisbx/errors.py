"""Every error that aisbx raises on purpose.

    AisbxError                      code, hint, exit_code
    ├── UsageError                  the command line or a request is malformed
    ├── ConfigError                 a settings or profile file is wrong (file, line, key)
    │   └── ProfileError            a profile cannot be read, composed or found
    ├── TrustError                  repository input asks for more than it may
    ├── WorkspaceError              this directory may not be a workspace
    ├── PluginError
    │   ├── PluginNotFoundError     nothing installed offers that name
    │   ├── PluginConflictError     two distributions offer the same name
    │   └── PluginBrokenError       the plugin cannot be imported or breaks its contract
    ├── DriverUnavailableError      the driver is installed but cannot work here
    ├── ControlError                a control that is asked for cannot be enforced
    ├── PolicyError                 a policy said no, failed, or gave no verdict
    │   └── ApprovalError           a policy wants somebody to be asked, and nobody has said yes
    ├── AuthError                   nobody knows who asks
    ├── AdmissionError              not now: too often, or too much at once
    ├── RemoteError                 a supervisor cannot be asked, or is none
    ├── LaunchError                 the sandbox could not be made
    ├── AbortedError                a run that had begun could not be served to its end
    ├── CommandNotFoundError        exit code 127
    ├── CommandNotExecutableError   exit code 126
    ├── SecretError                 a secret, or its store, cannot be had
    └── StateError                  a file of ours (audit, plan, log) cannot be used safely
        └── NotFoundError           there is nothing of that name, or it is somebody else's

Each class has a stable `code` for programs, a `hint` that says what to do, and
the `exit_code` that the command line ends with.
"""


class AisbxError(Exception):
    """Base of the tree: one line that says what is wrong, one that says how to mend it."""

    code = "error"
    exit_code = 125

    def __init__(self, message: str, *, hint: str = "") -> None:
        """Keep the message and the hint; both are single lines without a trailing stop."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.findings: tuple[str, ...] = ()
        """What a run left behind all the same, as in `aisbx.types.ExitStatus`."""

    def as_record(self) -> dict[str, object]:
        """Give the error in the form of the `error` key of `--json`."""
        found = {"findings": list(self.findings)} if self.findings else {}
        return {"code": self.code, "message": self.message, "hint": self.hint, **found}


class UsageError(AisbxError):
    """The command line or a request is malformed."""

    code = "usage"


class ConfigError(AisbxError):
    """A settings or profile file is wrong; says which file, line and key."""

    code = "config"

    def __init__(self, message: str, *, file: str = "", line: int = 0, key: str = "", hint: str = "") -> None:
        """Prefix the message with `file:line: key:` as far as they are known (line counts from 1)."""
        where = f"{file}:{line}" if file and line else file
        super().__init__(": ".join(part for part in (where, key, message) if part), hint=hint)
        self.file = file
        self.line = line
        self.key = key


class ProfileError(ConfigError):
    """A profile cannot be read, composed or found."""

    code = "profile"


class TrustError(AisbxError):
    """Repository input (`aisbx.toml`, `.aisbx/`) asks for more than it may."""

    code = "untrusted"


class WorkspaceError(AisbxError):
    """This directory may not be a workspace."""

    code = "workspace"


class PluginError(AisbxError):
    """Something is wrong with the plugins that are installed."""

    code = "plugin"


class PluginNotFoundError(PluginError):
    """Nothing installed offers the name that was asked for."""

    code = "plugin-not-found"


class PluginConflictError(PluginError):
    """Two distributions offer the same name of the same kind."""

    code = "plugin-conflict"


class PluginBrokenError(PluginError):
    """The plugin cannot be imported, or what it returned breaks its contract."""

    code = "plugin-broken"


class DriverUnavailableError(AisbxError):
    """The driver is installed but cannot work on this machine."""

    code = "driver-unavailable"


class ControlError(AisbxError):
    """A control that is asked for cannot be enforced here, and was not lowered by name."""

    code = "not-enforced"

    def __init__(self, message: str, *, control: str, hint: str = "") -> None:
        """Name the control's id (see `aisbx.types.CONTROLS`) beside the message."""
        super().__init__(message, hint=hint)
        self.control = control


class PolicyError(AisbxError):
    """A policy said no, raised, or returned something that is not a verdict."""

    code = "denied"


class ApprovalError(PolicyError):
    """A policy leaves a command to a person; a host that has one can ask, see `aisbx.engine.policies.approving`."""

    def __init__(
        self, message: str, *, rule: str, argv: tuple[str, ...], key: str, hint: str = "", stdin: bytes | None = None
    ) -> None:
        """Keep what is to be decided; `key` stands for this rule about this very command, with what it is to read."""
        super().__init__(f"{rule}: {message}; nobody is here to be asked", hint=hint)
        self.rule = rule
        self.reason = message
        self.argv = argv
        self.stdin = stdin
        self.key = key


class AuthError(AisbxError):
    """Nobody knows who asks: no key, a wrong one, or one that has ended."""

    code = "unauthenticated"


class AdmissionError(AisbxError):
    """The principal asks too often, or for too much at once; nothing was done."""

    code = "limited"

    def __init__(self, message: str, *, retry_after: float, hint: str = "") -> None:
        """Say in how many seconds it is worth trying again."""
        super().__init__(message, hint=hint or f"try again in {-int(-retry_after // 1)} s")
        self.retry_after = retry_after

    def as_record(self) -> dict[str, object]:
        """Give the error with the seconds to wait."""
        return {**super().as_record(), "retry_after": round(self.retry_after, 3)}


class RemoteError(AisbxError):
    """A supervisor cannot be asked, or what answers is none; nobody knows whether what was asked was done."""

    code = "remote"


class LaunchError(AisbxError):
    """The sandbox could not be made; nothing of the command was run."""

    code = "launch"


class AbortedError(AisbxError):
    """A run could not be served any more and was ended; of its command anything may have been run."""

    code = "aborted"


class CommandNotFoundError(AisbxError):
    """The command does not exist inside the sandbox (POSIX shell: 127)."""

    code = "command-not-found"
    exit_code = 127


class CommandNotExecutableError(AisbxError):
    """The command exists inside the sandbox but cannot be executed (POSIX shell: 126)."""

    code = "command-not-executable"
    exit_code = 126


class SecretError(AisbxError):
    """A secret, or the store that it is in, cannot be had; never says any part of a value."""

    code = "secret"


class StateError(AisbxError):
    """A file of ours (audit log, plan, output log) is missing, foreign or damaged."""

    code = "state"


class NotFoundError(StateError):
    """There is nothing of that name, or it is another principal's, which is the same to whoever asks."""

    code = "not-found"

    def __init__(self, message: str, *, name: str, hint: str = "") -> None:
        """Keep the name that was asked for."""
        super().__init__(message, hint=hint)
        self.name = name
