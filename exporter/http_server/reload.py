"""`--web.config.file` in force: read again as soon as it, or a file that it names, has changed."""

import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exporter.errors import ConfigurationError
from exporter.http_server.config import RateLimit, WebConfig
from exporter.http_server.tls import server_context
from exporter.settings.strict_yaml import load_yaml

_log = logging.getLogger(__name__)
OPTION = "--web.config.file"


@dataclass(frozen=True)
class WebSettings:
    """How requests are protected; by default not at all."""

    users: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """bcrypt hashes by user; empty: no password is asked for"""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    rate_limit: RateLimit | None = None
    tls: ssl.SSLContext | None = None
    allowed_sans: frozenset[str] | None = None

    @property
    def authenticates(self) -> bool:
        """Whether a client must show who it is."""
        return bool(self.users) or (self.tls is not None and self.tls.verify_mode == ssl.CERT_REQUIRED)


class WebFile:
    """The settings of a file that may change at any time, or none (`path` None).

    The constructor raises ConfigurationError for a file that is wrong.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._seen: dict[Path, object] = {}
        self._problem: ConfigurationError | None = None
        self.last_good = WebSettings() if path is None else self._load(path)

    def current(self) -> WebSettings:
        """The settings in force.

        Raises ConfigurationError while the file is wrong: then nothing is answered, as in the
        exporter-toolkit, since the change may be meant to lock a user out.
        """
        if self._path is not None and any(_state(file) != state for file, state in self._seen.items()):
            self._reload(self._path)
        if self._problem is not None:
            raise self._problem
        return self.last_good

    def _reload(self, path: Path) -> None:
        try:
            settings = self._load(path)
            # An editor empties a file before it fills it again.
            if self.last_good.authenticates and not settings.authenticates:
                raise ConfigurationError(f"{path}: no longer asks for a user; that takes a restart")
            if self.last_good.tls and not settings.tls:
                raise ConfigurationError(f"{path}: no longer has TLS; that takes a restart")
        except ConfigurationError as error:
            self._problem = error
            _log.error("%s: nothing is answered until this is corrected: %s", OPTION, error)
            return
        self.last_good, self._problem = settings, None
        _log.info("%s: read again", self._path)

    def _load(self, path: Path) -> WebSettings:
        # Each file's state is taken before it is read, so that no change is missed.
        self._seen = {path: _state(path)}
        config = load_yaml(path, WebConfig, OPTION)
        tls, context = config.tls_server_config, None
        if tls is not None:
            named = (tls.cert_file, tls.key_file, tls.client_ca_file)
            self._seen |= {path.parent / file: _state(path.parent / file) for file in named if file}
            try:
                context = server_context(tls, path.parent)
            except ConfigurationError as error:
                raise ConfigurationError(f"{path}: {error}") from error
        http = config.http_server_config
        headers = http.headers.model_dump(by_alias=True) if http and http.headers else {}
        sans = tls.client_allowed_sans if tls else None
        return WebSettings(
            users={
                name: hashed.get_secret_value().encode()
                for name, hashed in (config.basic_auth_users or {}).items()
            },
            headers=tuple(
                (name.lower().encode(), value.encode()) for name, value in headers.items() if value
            ),
            rate_limit=config.rate_limit if config.rate_limit and config.rate_limit.interval else None,
            tls=context,
            allowed_sans=frozenset(sans) if sans is not None else None,
        )


def _state(file: Path) -> object:
    try:
        found = file.stat()
    except OSError as error:
        return error.errno
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
