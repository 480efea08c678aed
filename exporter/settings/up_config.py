"""The configuration of `soak up`: the exporter's, and the agents that its Prometheus scrapes beside it."""

import re
from pathlib import Path
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from exporter.errors import ConfigurationError
from exporter.settings.exporter_config import ExporterConfig
from exporter.settings.login import HttpClientConfig
from exporter.settings.router_api import RouterApi
from exporter.settings.strict_yaml import Model, load_yaml

OPTION = "--config"
_ADDRESS = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}")
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class AgentGroup(Model):
    """Agents with labels of their own, as in prometheus/targets/agents.yml."""

    targets: tuple[str, ...]
    """HOST:PORT each"""
    labels: dict[str, str] = Field(default_factory=dict)

    @field_validator("targets")
    @classmethod
    def _addresses(cls, targets: tuple[str, ...]) -> tuple[str, ...]:
        if not targets:
            raise ValueError("name one at least, as HOST:PORT")
        for each in targets:
            if not _ADDRESS.fullmatch(each):
                raise ValueError(f"{each!r} is not HOST:PORT, like gpu-1:9877")
        return targets

    @field_validator("labels")
    @classmethod
    def _names(cls, labels: dict[str, str]) -> dict[str, str]:
        for name in labels:
            if not _LABEL.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a label: letters, digits and underscores")
        return labels


class UpConfig(ExporterConfig):
    """The whole file."""

    agents: tuple[AgentGroup, ...] = ()
    agents_login: HttpClientConfig | None = None
    """how all of them are asked over TLS; None: in the clear, without a password"""

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.router is None:
            raise ValueError("router: soak up is for one; leave the key out, or name its url")
        login = self.agents_login
        if login is not None and not self.agents:
            raise ValueError("agents_login: is about agents; name them in agents")
        if login is not None and login.basic_auth is not None and login.basic_auth.password is not None:
            raise ValueError("agents_login.basic_auth: give password_file; the stack keeps no password")
        return self

    @property
    def of_the_exporter(self) -> ExporterConfig:
        """The part that is the exporter's."""
        return ExporterConfig(**{name: getattr(self, name) for name in ExporterConfig.model_fields})


def load_up_config(path: Path) -> UpConfig:
    """Read it; raises ConfigurationError naming file and key.

    Relative names of files begin at the current folder, those of `agents_login` at the file's own, as in
    `soak exporter --config` and `soak run --exporter.config`.
    """
    config = load_yaml(path, UpConfig, OPTION)
    login = config.agents_login
    if login is None:
        return _whole(config)
    basic = login.basic_auth
    if basic is not None and basic.password_file is not None:
        basic = basic.model_copy(update={"password_file": path.parent / basic.password_file})
    files = {
        key: path.parent / file
        for key in ("ca_file", "cert_file", "key_file")
        if (file := getattr(login.tls_config, key)) is not None
    }
    login = login.model_copy(
        update={"basic_auth": basic, "tls_config": login.tls_config.model_copy(update=files)}
    )
    return _whole(config.model_copy(update={"agents_login": login}))


def for_router(config: UpConfig, target: str | None, default: str, **asked: Any) -> UpConfig:
    """The configuration with its router: `target` where one is named, else the file's, else `default`.

    `asked` are fields of RouterApi that options give; keys of the file give way to them. Raises
    ConfigurationError where file and option name different routers, ValidationError (pydantic's) where the
    URL is none.
    """
    given = {} if config.router is None else config.router.model_dump(exclude_unset=True)
    named = given.get("url")
    url = target or named or default
    if target is not None and named is not None and RouterApi(url=target).url != named:
        raise ConfigurationError(
            f"--target: {RouterApi(url=target).url} is not the router.url of --config; give one of the two"
        )
    if asked.get("api_key_env") or asked.get("api_key_file"):
        given = {key: value for key, value in given.items() if key not in ("api_key_env", "api_key_file")}
    router = RouterApi.model_validate(
        {**given, "url": url, **{key: each for key, each in asked.items() if each is not None}}
    )
    return _whole(config.model_copy(update={"router": router}))


def _whole(config: UpConfig) -> UpConfig:
    """The same with whole names of files: the stack goes on in whatever folder."""
    return UpConfig.model_validate(_absolute(config.model_dump(exclude_unset=True)))


def _absolute(value: Any) -> Any:
    if isinstance(value, Path):
        return value.absolute()
    if isinstance(value, dict):
        return {key: _absolute(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_absolute(each) for each in value]
    return value
