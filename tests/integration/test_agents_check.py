"""`soak agents check` of real agents, of stubs with one fault each, and of what is no agent at all."""

import datetime
import json
import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from click.testing import CliRunner, Result

from exporter import __version__
from exporter.cli import agents as agents_command
from exporter.cli.main import soak
from exporter.errors import ConfigurationError
from exporter.settings.shipped import shipped
from exporter.stack.ports import free_ports
from tests.support.agent_fleet import Agent, group, write_targets
from tests.support.local_http import LocalHttp
from tests.support.secured_exporter import PASSWORD, USER, Certificates, hashed

AUTHORITY = "# tls_config: {ca_file: secrets/agents-ca.pem}"


@dataclass(frozen=True)
class Fleet:
    """A plain agent, and one behind TLS and a password whose certificate is for 127.0.0.1."""

    plain: str
    secured: str
    certificates: Certificates


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("agents")
    certificates = Certificates.made_in(folder)
    web = {
        "tls_server_config": {"cert_file": "server.crt", "key_file": "server.key"},
        "basic_auth_users": {USER: hashed(PASSWORD)},
    }
    (folder / "web.yml").write_text(yaml.safe_dump(web), encoding="utf-8")
    with ExitStack() as cleanup:
        plain = cleanup.enter_context(Agent(folder / "plain", "127.0.0.2"))
        options = ("--web.config.file", str(folder / "web.yml"))
        secured = cleanup.enter_context(Agent(folder / "secured", "127.0.0.1", *options))
        for agent in (plain, secured):
            agent.wait_until_it_serves()
        yield Fleet(plain.target, secured.target, certificates)


@dataclass(frozen=True)
class Place:
    """A folder as `soak files` lays it out, with the authority of the fleet and its password."""

    folder: Path

    def lists(self, plain: tuple[Any, ...] = (), secured: tuple[Any, ...] = ()) -> None:
        """What the two targets files hold: addresses, or whole groups."""
        for name, listed in (("exporter", plain), ("agents", secured)):
            groups = [each if isinstance(each, dict) else group(each) for each in listed]
            write_targets(self.folder / f"prometheus/targets/{name}.yml", groups)

    def secret(self, name: str) -> Path:
        return self.folder / "prometheus/secrets" / name

    def check(self, *options: str) -> Result:
        return CliRunner().invoke(
            soak, ["agents", "check", "--config", str(self.folder), *options], catch_exceptions=False
        )

    def said(self, *options: str) -> list[str]:
        """The lines on agents, at least one of which is not well."""
        done = self.check(*options)
        assert done.exit_code == 1, done.output
        lines = done.output.splitlines()
        assert lines[0] == f"agents of {self.folder / 'prometheus/prometheus.yml'}"
        return [line for line in lines[1:] if line[0] in "✓✕"]


@pytest.fixture
def place(tmp_path: Path, fleet: Fleet) -> Place:
    found = Place(tmp_path / "laid-out")
    shutil.copytree(shipped("prometheus"), found.folder / "prometheus")
    file = found.folder / "prometheus/prometheus.yml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(AUTHORITY, AUTHORITY.removeprefix("# ")), encoding="utf-8")
    found.secret("agents-password").write_text(f"{PASSWORD}\n", encoding="utf-8")
    shutil.copy(fleet.certificates.folder / "ca.pem", found.secret("agents-ca.pem"))
    return found


def exposition(
    version: str = __version__, ahead: float | None = 0.0, collectors: dict[str, int] | None = None
) -> bytes:
    """What an agent says: its release, its clock, its collectors."""
    lines = [f'exporter_build_info{{version="{version}",python="3.11.2"}} 1']
    if ahead is not None:
        lines.append(f"node_time_seconds {time.time() + ahead}")
    for name, works in (collectors or {"node": 1}).items():
        lines.append(f'exporter_collector_success{{collector="{name}"}} {works}')
    return ("\n".join(lines) + "\n").encode()


def stub(said: bytes, headers: dict[str, str] | None = None) -> LocalHttp:
    """A server that says this at /metrics; of `headers` its own Date is replaced."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n" % len(said)
    for name, value in (headers or {}).items():
        head += f"{name}: {value}\r\n".encode()
    return LocalHttp(lambda _asked: head + b"\r\n" + said)


def test_agents_that_are_well_are_a_line_each_and_the_exit_code_is_0(fleet: Fleet, place: Place) -> None:
    place.lists((group(fleet.plain, node="gpu-1", role="node"),), (group(fleet.secured, node="gpu-2"),))
    done = place.check()
    head, first, second, last = done.output.splitlines()
    assert done.exit_code == 0
    assert head == f"agents of {place.folder / 'prometheus/prometheus.yml'}"
    assert first.startswith(f"✓ gpu-1  http://{fleet.plain}/metrics   version {__version__}, clock ")
    assert second.startswith(f"✓ gpu-2  https://{fleet.secured}/metrics  version {__version__}, clock ")
    assert first.endswith(", 1 of 1 processes found")
    assert last == "2 of 2 agents well"


def test_as_json_it_says_of_each_agent_what_it_found(fleet: Fleet, place: Place) -> None:
    place.lists((group(fleet.plain, node="gpu-1", role="node"), "127.0.0.1:9"))
    done = place.check("--json")
    document = json.loads(done.output)
    assert (done.exit_code, document["well"]) == (1, 1)
    well, ill = document["agents"]
    assert abs(well.pop("clock_offset_seconds")) < 3
    assert well == {
        "url": f"http://{fleet.plain}/metrics",
        "labels": {"node": "gpu-1", "role": "node"},
        "source": str(place.folder / "prometheus/targets/exporter.yml"),
        "well": True,
        "problems": [],
        "version": __version__,
        "failing_collectors": [],
        "processes": 1,
        "processes_found": 1,
        "gpus": 0,
    }
    assert [each["trouble"] for each in ill["problems"]] == ["unreachable"]
    assert (ill["version"], ill["clock_offset_seconds"], ill["processes"]) == (None, None, None)


def test_a_wrong_password_and_none_are_told_apart(fleet: Fleet, place: Place) -> None:
    place.lists((group(fleet.secured, __scheme__="https"),), (fleet.secured,))
    place.secret("agents-password").write_text("notthisone\n", encoding="utf-8")
    first, second = place.said()
    # The plain scrape configuration has no authority of its own either.
    assert "TLS: its authority is not in tls_config.ca_file" in first
    assert "refuses this user and password (HTTP 401)" in second
    assert "notthisone" not in second
    text = (place.folder / "prometheus/prometheus.yml").read_text(encoding="utf-8")
    login = "    basic_auth:\n      username: prometheus\n      password_file: secrets/agents-password\n"
    assert login in text
    (place.folder / "prometheus/prometheus.yml").write_text(text.replace(login, ""), encoding="utf-8")
    assert "wants a user and a password (HTTP 401)" in place.said()[1]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("agents-password", "agents-password: cannot be read (No such file or directory)"),
        ("agents-ca.pem", "agents-ca.pem: cannot be read (No such file or directory)"),
    ],
)
def test_a_secret_that_is_missing_is_named_for_the_agents_that_need_it(
    fleet: Fleet, place: Place, name: str, said: str
) -> None:
    place.lists((fleet.plain,), (fleet.secured,))
    place.secret(name).unlink()
    first, second = place.said()
    assert first.startswith("✓")
    assert f"exporter-agents: {place.folder}/prometheus/secrets/{said}" in second


def test_a_certificate_of_another_authority_is_not_trusted(fleet: Fleet, place: Place) -> None:
    place.lists(secured=(fleet.secured,))
    trustme.CA().cert_pem.write_to_path(str(place.secret("agents-ca.pem")))
    [line] = place.said()
    assert "TLS: its authority is not in tls_config.ca_file; put its certificate there" in line


def test_a_certificate_for_another_name_is_named(fleet: Fleet, place: Place) -> None:
    place.lists(secured=(fleet.secured.replace("127.0.0.1", "localhost"),))
    [line] = place.said()
    assert "TLS: its certificate is not for localhost; make one for this name" in line


@pytest.mark.parametrize(
    ("after", "until", "said"),
    [
        (-20, -1, "TLS: its certificate has expired; make a new one"),
        (1, 20, "TLS: its certificate is not valid yet; is its clock, or this one, wrong?"),
    ],
)
def test_a_certificate_out_of_its_time_is_named(
    place: Place, fleet: Fleet, after: int, until: int, said: str
) -> None:
    now = datetime.datetime.now(datetime.UTC)
    days = datetime.timedelta(days=1)
    pair = fleet.certificates.authority.issue_cert(
        "127.0.0.1", not_before=now + after * days, not_after=now + until * days
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pair.configure_cert(context)
    with stub(exposition()) as server:
        server.use_tls(context)
        place.lists(secured=(server.address,))
        assert said in place.said()[0]


def test_tls_where_there_is_none_and_none_where_there_is_are_named(fleet: Fleet, place: Place) -> None:
    place.lists((fleet.secured,), (fleet.plain,))
    first, second = place.said()
    assert "does it speak TLS? list it in targets/agents.yml then" in first
    assert "TLS: it speaks none on this port; give it a --web.config.file, or list it in targets/ex" in second


def test_what_does_not_answer_is_named_with_the_reason_and_holds_nobody_up(
    fleet: Fleet, place: Place
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        place.lists((f"127.0.0.1:{free_ports().exporter}", "agent.invalid:9877", address, fleet.plain))
        refused, nowhere, late, well = place.said("--timeout", "2s")
    assert "connection refused; does the agent run there?" in refused
    assert "no such host; is the name in the targets file right?" in nowhere or "no whole answer" in nowhere
    assert (
        "no whole answer within 2 s; is its port open to this machine?" in late or "no answer within" in late
    )
    assert well.startswith("✓")


def test_another_version_a_wrong_clock_and_failing_collectors_are_named_together(place: Place) -> None:
    said = exposition("0.0.9", -90, {"node": 1, "gpu": 0, "process": 0})
    with stub(said) as server, stub(exposition("0.0.8")) as other:
        place.lists((server.address, other.address))
        first, second = place.said()
        assert f"version 0.0.9, and this is {__version__}; bring both to the same" in first
        assert "its clock is 90." in first or "its clock is 89." in first
        assert "s behind this machine's" in first
        assert "collectors fail: gpu, process; its log says why" in first
        assert "version 0.0.8" in second
        assert "clock" not in second
        assert "the agents are of different versions" in place.check().output


def test_a_clock_is_read_from_the_header_where_no_metric_has_it(place: Place) -> None:
    ahead = {"Date": formatdate(time.time() + 3600, usegmt=True)}
    right = {"Date": formatdate(time.time(), usegmt=True)}
    with (
        stub(exposition(ahead=None), ahead) as wrong,
        stub(exposition(ahead=None), right) as well,
        stub(exposition(ahead=None)) as silent,
    ):
        place.lists((wrong.address, well.address, silent.address))
        first, second, third = place.said()
    assert "its clock is 3,60" in first or "its clock is 3,59" in first
    assert "ahead of this machine's; have both set by NTP" in first
    assert ", clock " in second
    assert second.startswith("✓")
    assert third.endswith("clock not known")


def test_where_every_clock_is_off_the_same_way_this_machine_is_looked_at_first(place: Place) -> None:
    with stub(exposition(ahead=50)) as one, stub(exposition(ahead=51)) as other:
        place.lists((one.address, other.address))
        assert "look at this machine's own first" in place.check().output
    with stub(exposition(ahead=50)) as one, stub(exposition(ahead=-51)) as other:
        place.lists((one.address, other.address))
        assert "look at this machine's own first" not in place.check().output


@pytest.mark.parametrize(
    ("said", "named"),
    [
        (b"node_exporter_build_info 1\n", "no exporter of this project: it is Prometheus' node_exporter"),
        (b"up 1\n", "no exporter of this project: it is another"),
        (b"<html>\n", "no exporter of this project: "),
        (b"\xff\xfe\x00", "no exporter of this project: "),
        (b"", "no exporter of this project: it is another"),
    ],
)
def test_what_is_no_exporter_is_named(place: Place, said: bytes, named: str) -> None:
    with stub(said) as server:
        place.lists((server.address,))
        assert named in place.said()[0]


@pytest.mark.parametrize(
    ("status", "named"),
    [
        (404, "has no such path (HTTP 404)"),
        (500, "its --web.config.file is wrong, and its log says where"),
        (503, "is busy (HTTP 503)"),
        (403, "does not let this client in (HTTP 403)"),
        (302, "is no healthy exporter (HTTP 302)"),
    ],
)
def test_a_status_is_said_in_words(place: Place, status: int, named: str) -> None:
    with LocalHttp(lambda _asked: (status, "")) as server:
        place.lists((server.address,))
        assert named in place.said()[0]


def test_what_an_agent_says_cannot_act_on_the_terminal_and_is_bounded(place: Place) -> None:
    release = "\x1b[31m" + "\u202e" + "9" * 5000
    said = exposition(release, 1e300, {"\x1b]0;x\x07": 0, **{f"c{n}" * 50: 0 for n in range(500)}})
    with stub(said) as server:
        place.lists((group(server.address, node="\u202egpu"),))
        done = place.check()
        assert done.exit_code == 1
        assert not set(done.output) & set("\x1b\x07\u202e")
        assert max(map(len, done.output.splitlines())) < 1000
        as_json = place.check("--json").output
        assert not set(as_json) & set("\x1b\x07\u202e")
        [agent] = json.loads(as_json)["agents"]
        assert {each["trouble"] for each in agent["problems"]} == {"version", "clock", "collectors"}
    with stub(exposition().replace(b"node_time_seconds ", b"node_time_seconds NaN #")) as server:
        place.lists((server.address,))
        assert json.loads(place.check("--json").output)["agents"][0]["clock_offset_seconds"] is None


def test_an_agent_that_is_listed_twice_is_named(fleet: Fleet, place: Place) -> None:
    place.lists((fleet.plain, group(fleet.plain, node="gpu-1")))
    first, second = place.said()
    assert first.startswith("✓")
    assert "listed in " in second
    assert "already, and counted twice" in second


def test_targets_of_ones_own_are_asked_as_the_login_says(fleet: Fleet, tmp_path: Path) -> None:
    write_targets(tmp_path / "mine.yml", [group(fleet.secured)])
    login = {
        "basic_auth": {"username": USER, "password": PASSWORD},
        "tls_config": {"ca_file": str(fleet.certificates.folder / "ca.pem")},
    }
    (tmp_path / "login.yml").write_text(yaml.safe_dump(login), encoding="utf-8")
    asked = ["agents", "check", "--targets", str(tmp_path / "mine.yml")]
    done = CliRunner().invoke(soak, [*asked, "--exporter.config", str(tmp_path / "login.yml")])
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "1 of 1 agents well")
    assert CliRunner().invoke(soak, asked).exit_code == 1


def test_without_an_option_the_configuration_of_this_folder_is_read_then_those_of_the_stacks_that_run(
    fleet: Fleet, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.lists((fleet.plain,))
    monkeypatch.chdir(place.folder)
    done = CliRunner().invoke(soak, ["agents", "check"])
    assert done.output.startswith("agents of prometheus/prometheus.yml\n✓")

    class Running:
        name = "laid-out"

    monkeypatch.chdir("/")
    monkeypatch.setattr(agents_command, "running_stacks", lambda: [Running()])
    monkeypatch.setattr(agents_command, "state_folder", lambda: tmp_path)
    done = CliRunner().invoke(soak, ["agents", "check"])
    assert done.output.startswith(f"agents of {place.folder}/prometheus/prometheus.yml\n✓")
    monkeypatch.setattr(agents_command, "running_stacks", list)
    done = CliRunner().invoke(soak, ["agents", "check"])
    assert done.output.startswith(f"agents of {shipped('prometheus/prometheus.yml')}\n")


def test_a_job_of_ones_own_is_found_by_the_label_that_its_series_have(fleet: Fleet, tmp_path: Path) -> None:
    document = {
        "scrape_configs": [
            {"job_name": "node", "static_configs": [{"targets": ["127.0.0.1:9"]}]},
            {
                "job_name": "gpus",
                "metrics_path": "/metrics",
                "honor_labels": False,
                "static_configs": [{"targets": [fleet.plain], "labels": {"node": "gpu-1"}}],
                "relabel_configs": [{"target_label": "job", "replacement": "soak"}],
            },
        ]
    }
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    for config in (tmp_path, tmp_path / "prometheus.yml"):
        asked = ["agents", "check", "--config", str(config), "--job", "soak"]
        assert CliRunner().invoke(soak, asked).exit_code == 0


@pytest.mark.parametrize(
    ("listed", "options", "said"),
    [
        ((), (), "no agent is listed; docs/agents.md says how to add one"),
        (("http://gpu-1:9877",), (), "is no target; give HOST:PORT"),
        (("user:secret@gpu-1",), (), "is no target; give HOST:PORT"),
        (({"targets": "gpu-1"},), (), r"exporter\.yml: 0.targets"),
        (("gpu-1:99999",), (), "is not a URL like"),
        ((), ("--job", "none"), "no scrape configuration has the job 'none'"),
        ((), ("--timeout", "0s"), "--timeout: '0s' is not a duration"),
        ((), ("--exporter.config", "x"), "--exporter.config: is about --targets"),
        ((), ("--targets", "x"), "--targets, --config: name the agents once"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(
    place: Place, listed: tuple[Any, ...], options: tuple[str, ...], said: str
) -> None:
    place.lists(listed)
    with pytest.raises(ConfigurationError, match=said) as error:
        place.check(*options)
    assert "\n" not in str(error.value)
