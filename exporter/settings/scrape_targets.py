"""Which agents a Prometheus scrapes and how, as its configuration and targets files say.

Read is what of a `prometheus.yml` says how a target is asked: `scheme`, `metrics_path`, `basic_auth`,
`authorization`, `tls_config`, `file_sd_configs`, `static_configs`; other keys are left alone. Source:
prometheus.io, configuration.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, SecretStr, TypeAdapter, ValidationError

from exporter.errors import ConfigurationError
from exporter.settings.login import HttpClient, HttpClientConfig, Login, TlsClient
from exporter.settings.strict_yaml import Model, first_problem, load_yaml, read_text, read_yaml
from exporter.settings.url import server_url

JOB = "exporter"
MAX_TARGETS = 10_000


class _Known(Model):
    # The format has keys that say nothing of how a target is asked.
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Tls(TlsClient):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Authorization(_Known):
    type: str = "Bearer"
    credentials: SecretStr | None = None
    credentials_file: Path | None = None


class _Files(_Known):
    files: tuple[str, ...]


class _Group(_Known):
    targets: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}


class _Relabel(_Known):
    source_labels: tuple[str, ...] = ()
    target_label: str | None = None
    replacement: str | None = None


class _Scraped(_Known):
    job_name: str
    scheme: Literal["http", "https"] = "http"
    metrics_path: str = "/metrics"
    basic_auth: Login | None = None
    authorization: _Authorization | None = None
    tls_config: _Tls = Field(default_factory=_Tls)
    file_sd_configs: tuple[_Files, ...] = ()
    static_configs: tuple[_Group, ...] = ()
    relabel_configs: tuple[_Relabel, ...] = ()

    @property
    def job(self) -> str:
        """The label `job` of its series."""
        named = [
            each.replacement
            for each in self.relabel_configs
            if each.target_label == "job" and each.replacement and not each.source_labels
        ]
        return named[-1] if named else self.job_name


class _Prometheus(_Known):
    scrape_configs: Annotated[tuple[_Scraped, ...], Field(max_length=1000)] = ()


_GROUPS = TypeAdapter(tuple[_Group, ...])


@dataclass(frozen=True)
class Asking:
    """How the targets of one scrape configuration are asked."""

    client: HttpClient | None
    """None: it cannot be made, and Prometheus scrapes none of them"""
    problem: str = ""
    """why it cannot be made"""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    scheme: str = "http"
    path: str = "/metrics"


@dataclass(frozen=True)
class ScrapeTarget:
    """One target of a targets file."""

    url: str
    labels: Mapping[str, str]
    source: str
    """the file that lists it"""
    asking: Asking


def configured_targets(config: Path, option: str, job: str = JOB) -> list[ScrapeTarget]:
    """The targets of a job, in the order of the configuration.

    Raises ConfigurationError naming file and key where the configuration or a targets file cannot be read,
    and where no scrape configuration has this job.
    """
    scraped = [each for each in load_yaml(config, _Prometheus, option).scrape_configs if each.job == job]
    if not scraped:
        raise ConfigurationError(f"{config}: no scrape configuration has the job {job!r}")
    return _bounded(chain.from_iterable(_targets(each, config, option) for each in scraped))


def listed_targets(files: Iterable[Path], option: str, asking: Asking) -> list[ScrapeTarget]:
    """The targets of targets files, all asked in one way; raises ConfigurationError naming file and key."""
    found = ((file, _groups(file, option)) for file in files)
    return _bounded(
        chain.from_iterable(_of_groups(groups, str(file), asking, option) for file, groups in found)
    )


def _bounded(targets: Iterable[ScrapeTarget]) -> list[ScrapeTarget]:
    found = []
    for target in targets:
        found.append(target)
        if len(found) > MAX_TARGETS:
            raise ConfigurationError(f"{target.source}: more than {MAX_TARGETS:,} targets")
    return found


def _targets(scraped: _Scraped, config: Path, option: str) -> Iterator[ScrapeTarget]:
    asking = _asking(scraped, config.parent)
    for each in scraped.file_sd_configs:
        for name in each.files:
            for file in _matching(config.parent, name):
                yield from _of_groups(_groups(file, option), str(file), asking, option)
    yield from _of_groups(scraped.static_configs, str(config), asking, option)


def _matching(folder: Path, name: str) -> list[Path]:
    """The files of a path whose last part may be a pattern; one that is not there has no targets yet."""
    path = folder / name
    return sorted(path.parent.glob(path.name)) if path.parent.is_dir() else []


def _groups(file: Path, option: str) -> tuple[_Group, ...]:
    try:
        return _GROUPS.validate_python(read_yaml(file, option) or ())
    except ValidationError as error:
        raise ConfigurationError(f"{file}: {first_problem(error)}") from None


def _of_groups(groups: Iterable[_Group], source: str, asking: Asking, option: str) -> Iterator[ScrapeTarget]:
    for group in groups:
        scheme = group.labels.get("__scheme__", asking.scheme)
        path = group.labels.get("__metrics_path__", asking.path)
        for address in group.targets:
            if set(address) & set("/@?#"):
                raise ConfigurationError(f"{source}: {address[:140]!r} is no target; give HOST:PORT")
            url = server_url(f"{scheme}://{address}", f"{source}: {option}", "HOST:PORT")
            shown = {name: value for name, value in group.labels.items() if not name.startswith("__")}
            yield ScrapeTarget(f"{url}/{path.lstrip('/')}", shown, source, asking)


def _asking(scraped: _Scraped, folder: Path) -> Asking:
    login = HttpClientConfig(basic_auth=scraped.basic_auth, tls_config=scraped.tls_config)
    headers = {}
    try:
        client = HttpClient(login, folder)
        if scraped.authorization is not None:
            headers["Authorization"] = (
                f"{scraped.authorization.type} {_credentials(scraped.authorization, folder)}"
            )
    except ConfigurationError as error:
        return Asking(None, f"{scraped.job_name}: {error}")
    return Asking(client, "", headers, scraped.scheme, scraped.metrics_path)


def _credentials(authorization: _Authorization, folder: Path) -> str:
    if authorization.credentials_file is not None:
        return read_text(folder / authorization.credentials_file, "authorization.credentials_file").strip()
    return authorization.credentials.get_secret_value() if authorization.credentials is not None else ""
