"""The errors of this project, each a sentence for the user: what, where, what to do.

SoakError
├── ConfigurationError     a file, flag or environment variable is wrong (exit code 2)
│   ├── PortTakenError     a port that must be listened on is in use
│   └── ToolMissingError   wrk, prometheus, … is not installed or too old
├── TargetUnreachableError nothing answers at the target (exit code 2)
├── PreflightError         one request shows that a load would be lost (exit code 2)
├── EngineError            the load engine cannot measure (exit code 2)
├── QueryError             Prometheus or the exporter did not give an answer (evidence is missing)
└── WireError              a datagram was refused; `reason` is the counter's label
"""

import errno


class SoakError(Exception):
    """Base of every error that is shown to the user as one line."""


class ConfigurationError(SoakError):
    """A configuration file, a flag or an environment variable is wrong."""


class PortTakenError(ConfigurationError):
    """A port that this command must listen on is in use."""

    def __init__(self, what: str, host: str, port: int, option: str) -> None:
        super().__init__(
            f"{what}: port {port} on {host} is already in use{_user_of(port)}; stop what listens there "
            f"(ss -ltnup 'sport = :{port}') or choose another with {option}"
        )


def _user_of(port: int) -> str:
    """` by NAME (process PID)` of what has the port; empty where it is not visible, as another user's."""
    import psutil  # noqa: PLC0415  (the hand tools read this file where nothing is installed)

    try:
        for socket in psutil.net_connections("inet"):
            if socket.laddr and socket.laddr.port == port and not socket.raddr and socket.pid:
                name = psutil.Process(socket.pid).name()
                return f" by {name if name.isprintable() else 'a process'} (process {socket.pid})"
    except (psutil.Error, OSError):
        pass
    return ""


def cannot_listen(what: str, host: str, port: int, option: str, error: OSError) -> ConfigurationError:
    """Why a socket could not be bound: its port is in use, or the address is none of this machine's."""
    if error.errno == errno.EADDRINUSE:
        return PortTakenError(what, host, port, option)
    return ConfigurationError(
        f"{what}: cannot listen on {host}:{port} ({error.strerror or error}); "
        f"choose another address with {option}"
    )


class ToolMissingError(ConfigurationError):
    """A program that this command runs is not installed or is too old."""


class TargetUnreachableError(SoakError):
    """Nothing answers at the target of a run."""


class PreflightError(SoakError):
    """The request before the load shows that the load would be lost."""


class EngineError(SoakError):
    """The load engine ended or went on without measuring."""


class QueryError(SoakError):
    """Prometheus or the exporter gave no usable answer: the evidence is missing, not zero."""


class WireError(SoakError):
    """A live message was refused; `reason` is from the closed set that /metrics counts by."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"live message refused: {reason}")
        self.reason = reason
