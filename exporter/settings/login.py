"""How to log in at a secured exporter: the format of promtool's `--http.config.file`, strictly read.

Of that format basic_auth, authorization and tls_config are known; source: prometheus.io,
configuration/promtool.
"""

import warnings
from pathlib import Path
from typing import Annotated, Any, Self

import requests
from pydantic import Field, SecretStr, model_validator
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from urllib3.exceptions import InsecureRequestWarning

from exporter.errors import ConfigurationError
from exporter.settings.server_trust import ServerTrust
from exporter.settings.strict_yaml import Model, load_yaml, read_text

OPTION = "--exporter.config"


class Login(Model):
    """`basic_auth`."""

    username: str
    password: SecretStr | None = None
    password_file: Path | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.password is None) == (self.password_file is None):
            raise ValueError("give password or password_file, one of them")
        return self


class Authorization(Model):
    """`authorization`: a header of that name, `Bearer` where no other type is given."""

    type: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,31}$")] = "Bearer"
    credentials: SecretStr | None = None
    credentials_file: Path | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.credentials is None) == (self.credentials_file is None):
            raise ValueError("give credentials or credentials_file, one of them")
        if self.type.lower() == "basic":
            raise ValueError("a user and a password belong into basic_auth")
        return self


class TlsClient(ServerTrust):
    """`tls_config`."""

    cert_file: Path | None = None
    key_file: Path | None = None

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("give cert_file and key_file, or neither")
        return self


class HttpClientConfig(Model):
    """The whole file."""

    basic_auth: Login | None = None
    authorization: Authorization | None = None
    tls_config: TlsClient = Field(default_factory=TlsClient)

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if self.basic_auth is not None and self.authorization is not None:
            raise ValueError("give basic_auth or authorization, one of them")
        return self


class _Bearer(AuthBase):
    """The header `Authorization`, whatever a `.netrc` says."""

    def __init__(self, header: str) -> None:
        self._header = header

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._header
        return request


class _NamedServer(HTTPAdapter):
    """Asks for, and checks, another name than the URL's."""

    def __init__(self, name: str) -> None:
        self._name = name
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, server_hostname=self._name, assert_hostname=self._name, **options)


class HttpClient:
    """Makes sessions that are logged in; `folder` is where relative paths begin."""

    def __init__(self, config: HttpClientConfig, folder: Path) -> None:
        self._tls = config.tls_config
        self._auth: AuthBase | None = None
        if config.basic_auth is not None:
            login = config.basic_auth
            password = login.password.get_secret_value() if login.password else ""
            if login.password_file is not None:
                password = read_text(folder / login.password_file, "basic_auth.password_file").strip()
            # As UTF-8: requests would send the Latin-1 of it.
            self._auth = HTTPBasicAuth(login.username.encode(), password.encode())
        if config.authorization is not None:
            self._auth = _Bearer(_header(config.authorization, folder))
        self._files: dict[str, str] = {}
        for key in ("ca_file", "cert_file", "key_file"):
            file = getattr(self._tls, key)
            if file is not None:
                read_text(folder / file, f"tls_config.{key}")
                self._files[key] = str(folder / file)

    @property
    def logs_in(self) -> bool:
        """Whether it gives a user and a password."""
        return self._auth is not None

    def session(self) -> requests.Session:
        """A session for one thread."""
        session = requests.Session()
        # Neither a proxy nor a .netrc of the environment is meant for the exporter.
        session.trust_env = False
        session.auth = self._auth
        session.verify = self._files.get("ca_file", True)
        if "cert_file" in self._files:
            session.cert = (self._files["cert_file"], self._files["key_file"])
        if self._tls.insecure_skip_verify:
            session.verify = False
            # The file asks for it; a warning with each request adds nothing.
            warnings.simplefilter("ignore", InsecureRequestWarning)
        if self._tls.server_name is not None:
            session.mount("https://", _NamedServer(self._tls.server_name))
        return session


NO_LOGIN = HttpClient(HttpClientConfig(), Path())


def _header(given: Authorization, folder: Path) -> str:
    """Raises ConfigurationError where it is no header, and does not show it."""
    key = "authorization.credentials"
    secret = given.credentials.get_secret_value() if given.credentials else ""
    if given.credentials_file is not None:
        key = "authorization.credentials_file"
        secret = read_text(folder / given.credentials_file, key).strip()
    if not secret or not secret.isascii() or not secret.isprintable():
        raise ConfigurationError(f"{key}: empty, or not one line of letters that a header can hold")
    return f"{given.type} {secret}"


def load_http_client(path: Path, option: str = OPTION) -> HttpClient:
    """The client of a file; raises ConfigurationError naming file and key, and shows no secret."""
    config = load_yaml(path, HttpClientConfig, option)
    try:
        return HttpClient(config, path.parent)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error
