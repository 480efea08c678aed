"""exporter.collectors.process.visibility: a /proc that hides processes says so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.collectors.process.visibility import restriction
from tests.support.checkout import CHECKOUT
from tests.support.fake_proc import ABSENT, FakeProc, fake_proc, scrape, watch

proc = pytest.fixture(fake_proc)

MOUNTINFO = (
    "22 27 0:21 / {root} rw,nosuid shared:5 - proc proc rw{options}\n"
    "30 27 0:9 / /tmp rw - tmpfs tmpfs rw,hidepid=2\n"
)


def mounted(proc: FakeProc, options: str) -> None:
    proc.write("self/mountinfo", MOUNTINFO.format(root=proc.root, options=options))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (",hidepid=invisible", ["hidepid=invisible", "ProtectProc=", "as root, or as their user"]),
        (",gid=991,hidepid=2", ["hidepid=2", "in the group 991 (gid=)"]),
        (",hidepid=ptraceable,subset=pid", ["hidepid=ptraceable", "ProcSubset=all"]),
        (",subset=pid", ["subset=pid", "ProcSubset=all"]),
    ],
)
def test_the_log_says_why_a_process_may_not_be_seen_and_what_to_do(
    proc: FakeProc, caplog: pytest.LogCaptureFixture, options: str, named: list[str]
) -> None:
    mounted(proc, options)
    for match in ({"name": "router"}, {"command_line": "router"}, {"port": 8080}, {"pid_file": "/nowhere"}):
        caplog.clear()
        assert scrape(watch(proc, **match)) == ABSENT | {"unwatched{hidden}": 1}
        (line,) = caplog.messages
        assert [fact for fact in ["watched process it", *named] if fact not in line] == []


@pytest.mark.parametrize("options", ["", ",hidepid=0", ",hidepid=off,gid=5"])
def test_a_proc_that_shows_all_is_not_blamed(proc: FakeProc, options: str) -> None:
    mounted(proc, options)
    assert restriction(proc.root) is None
    assert scrape(watch(proc, name="router")) == ABSENT


def test_a_process_that_is_seen_is_watched_whatever_the_options(
    proc: FakeProc, caplog: pytest.LogCaptureFixture
) -> None:
    mounted(proc, ",hidepid=invisible")
    proc.process(10)
    assert scrape(watch(proc, name="router"))["up"] == 1
    assert caplog.messages == []


SCRAPE = """
import logging, os, sys
logging.basicConfig(format="%(message)s", stream=sys.stdout)
from exporter.collectors.process.process import ProcessCollector
from exporter.settings.exporter_config import Match, Role, WatchedProcess
match = Match(command_line="sleep 987654")
# Not before: where Python lies may be root's alone.
user = int(sys.argv[1])
os.setgroups([])
os.setresgid(user, user, user)
os.setresuid(user, user, user)
for family in ProcessCollector([WatchedProcess(name="it", role=Role.ROUTER, match=match)]).collect():
    if family.name in ("observed_process_up", "observed_process_open_fds"):
        print(family.name, [sample.value for sample in family.samples])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a /proc")
@pytest.mark.parametrize(
    ("options", "user", "seen"), [("hidepid=2", "65534", False), ("subset=pid", "0", True)]
)
def test_a_real_proc_with_such_options(tmp_path: Path, options: str, user: str, seen: bool) -> None:
    inside = f'mount -t proc -o {options} proc /proc && exec "$@"'
    with subprocess.Popen(["sleep", "987654"]) as sleeping:
        try:
            made = subprocess.run(
                ["unshare", "--mount", "sh", "-c", inside, "-", sys.executable, "-c", SCRAPE, user],
                capture_output=True,
                text=True,
                cwd=CHECKOUT,
                env=os.environ | {"PYTHONPATH": ":".join(path for path in sys.path if path)},
                check=False,
            )
        finally:
            sleeping.kill()
    if "mount:" in made.stderr or "unshare:" in made.stderr:
        pytest.skip(f"no /proc can be mounted here: {made.stderr.strip()}")
    assert f"observed_process_up [{int(seen)}]" in made.stdout, made.stderr
    assert ("hidepid=invisible" in made.stdout or "hidepid=2" in made.stdout) is not seen
