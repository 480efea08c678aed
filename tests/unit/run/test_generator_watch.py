"""exporter.run.generator_watch: an engine's threads, as /proc shows them."""

import os
from pathlib import Path

import pytest

from exporter.run.generator_watch import GeneratorWatch, allowed_cpus
from tests.support.clocks import FakeClock

CPUS = len(os.sched_getaffinity(0))


def threads(proc: Path, pid: int, **figures: tuple[float, float]) -> None:
    """CPU time and wait (s) of each thread, such as `t7=(1.5, 0.2)`; the others have ended."""
    for old in (proc / str(pid) / "task").glob("*"):
        (old / "schedstat").unlink()
        old.rmdir()
    for thread, (cpu, wait) in figures.items():
        folder = proc / str(pid) / "task" / thread.removeprefix("t")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "schedstat").write_text(f"{cpu * 1e9:.0f} {wait * 1e9:.0f} 77\n")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def watch_of(clock: FakeClock, tmp_path: Path) -> GeneratorWatch:
    return GeneratorWatch(clock, tmp_path, tmp_path / "cgroup")


def test_the_mean_wait_of_all_threads_and_the_cpu_of_all_are_told(clock: FakeClock, tmp_path: Path) -> None:
    watch = watch_of(clock, tmp_path)
    threads(tmp_path, 7, t7=(0, 0), t8=(5, 1))
    watch.look((7,))
    clock.advance(10)
    threads(tmp_path, 7, t7=(2, 0.1), t8=(6, 1.3))
    watch.look((7,))
    found = watch.result()
    assert found is not None
    assert found.wait_ratio == pytest.approx(0.02)
    assert found.cpu_ratio == pytest.approx(0.3 / CPUS)
    assert (found.seconds, found.short) == (10, ())


def test_the_times_in_which_it_is_short_of_cpu_are_noted_and_joined(clock: FakeClock, tmp_path: Path) -> None:
    watch = watch_of(clock, tmp_path)
    waited = 0.0
    for ratio in (None, 0.01, 0.2, 0.3, 0.01, 0.06):
        if ratio is not None:
            clock.advance(10)
            waited += 10 * ratio
        threads(tmp_path, 7, t7=(0, waited))
        watch.look((7,))
    found, now = watch.result(), clock.wall()
    assert found is not None
    assert [(each.since - now, each.until - now) for each in found.short] == [(-40, -20), (-10, 0)]
    assert found.wait_ratio == pytest.approx(0.116)


def test_it_is_short_where_it_uses_nearly_all_that_it_may(clock: FakeClock, tmp_path: Path) -> None:
    watch = watch_of(clock, tmp_path)
    for second in (0, 10):
        threads(tmp_path, 7, t7=(0.91 * CPUS * second, 0))
        watch.look((7,))
        clock.advance(10)
    found = watch.result()
    assert found is not None
    assert found.cpu_ratio == pytest.approx(0.91)
    assert len(found.short) == 1


def test_threads_that_come_or_go_between_two_looks_are_left_out(clock: FakeClock, tmp_path: Path) -> None:
    watch = watch_of(clock, tmp_path)
    threads(tmp_path, 7, t7=(0, 0), t8=(0, 9))
    watch.look((7,))
    clock.advance(10)
    threads(tmp_path, 7, t7=(1, 0), t9=(50, 50))
    watch.look((7,))
    found = watch.result()
    assert found is not None
    assert found.wait_ratio == 0
    assert found.cpu_ratio == pytest.approx(0.1 / CPUS)


def test_another_process_begins_anew_and_one_that_has_ended_says_nothing(
    clock: FakeClock, tmp_path: Path
) -> None:
    watch = watch_of(clock, tmp_path)
    threads(tmp_path, 7, t7=(0, 0))
    threads(tmp_path, 8, t8=(90, 90))
    for pids in ((7,), (8,), (9,), ()):
        watch.look(pids)
        clock.advance(10)
    assert watch.result() is None
    threads(tmp_path, 8, t8=(90, 90))
    watch.look((8,))
    clock.advance(10)
    threads(tmp_path, 8, t8=(91, 90))
    watch.look((8,))
    found = watch.result()
    assert found is not None
    assert found.seconds == 10


def test_it_looks_no_oftener_than_every_few_seconds(clock: FakeClock, tmp_path: Path) -> None:
    watch = watch_of(clock, tmp_path)
    for tenth in range(30):
        threads(tmp_path, 7, t7=(tenth / 10, 0))
        watch.look((7,))
        clock.advance(0.1)
    found = watch.result()
    assert found is not None
    assert found.seconds == pytest.approx(2.5)


def test_processes_that_run_beside_each_other_are_one_generator(clock: FakeClock, tmp_path: Path) -> None:
    watch = watch_of(clock, tmp_path)
    threads(tmp_path, 7, t7=(0, 0))
    threads(tmp_path, 8, t8=(0, 0))
    watch.look((7, 8))
    clock.advance(10)
    threads(tmp_path, 7, t7=(1, 0.1))
    threads(tmp_path, 8, t8=(3, 0.3))
    watch.look((7, 8))
    found = watch.result()
    assert found is not None
    assert found.wait_ratio == pytest.approx(0.02)
    assert found.cpu_ratio == pytest.approx(0.4 / CPUS)


def test_a_real_process_is_seen(clock: FakeClock) -> None:
    watch = GeneratorWatch(clock)
    watch.look((os.getpid(),))
    clock.advance(10)
    watch.look((os.getpid(),))
    found = watch.result()
    assert found is not None
    assert found.seconds == 10


@pytest.mark.parametrize(
    ("groups", "files", "cpus"),
    [
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000", "a/cpu.max": "50000 100000"}, 0.5),
        ("0::/a/b\n", {"a/b/cpu.max": "25000 100000", "a/cpu.max": "50000 100000"}, 0.25),
        ("0::/a\n", {"a/cpu.max": "max 100000"}, CPUS),
        ("0::/a\n", {}, CPUS),
        ("0::/a\n", {"a/cpu.max": "nonsense"}, CPUS),
        (
            "3:cpu,cpuacct:/a\n0::/\n",
            {"cpu/a/cpu.cfs_quota_us": "50000", "cpu/a/cpu.cfs_period_us": "100000"},
            0.5,
        ),
        ("3:cpu:/a\n", {"cpu/a/cpu.cfs_quota_us": "-1", "cpu/a/cpu.cfs_period_us": "100000"}, CPUS),
    ],
)
def test_what_it_may_use_goes_by_affinity_and_by_the_quotas_of_its_groups(
    tmp_path: Path, groups: str, files: dict[str, str], cpus: float
) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "cgroup").write_text(groups)
    for name, text in files.items():
        file = tmp_path / "cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
    assert allowed_cpus(tmp_path, tmp_path / "cgroup") == min(cpus, CPUS)
