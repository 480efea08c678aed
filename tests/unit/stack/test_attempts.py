"""exporter.stack.attempts: when a service that has ended is started again, and what is said of it."""

from exporter.stack.attempts import Attempts


def test_pauses_double_up_to_a_minute_and_begin_anew_after_a_steady_one() -> None:
    attempts, now, pauses, said = Attempts("it"), 0.0, [], []
    for _ in range(9):
        attempts.begin(now, "/-/ready")
        said.append(attempts.end(now, "exit code 1: full"))
        began = now
        assert attempts.waits
        while not attempts.is_due(now):
            now += 1
        pauses.append(now - began)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert said[0] == "it has ended (exit code 1: full); started again in 1 s"
    assert said[6] == "it ends at once (exit code 1: full); tried once a minute from now on"
    assert said[7:] == [None, None]
    attempts.begin(now, "/-/ready")
    attempts.run(now + 61)
    assert attempts.end(now + 61, "killed by signal 9") is not None
    assert (attempts.starts, attempts.ready_path) == (10, "/-/ready")
    assert attempts.is_due(now + 62)


def test_one_that_runs_waits_for_nothing() -> None:
    attempts = Attempts("it")
    attempts.begin(5, "/")
    attempts.run(6)
    assert not attempts.waits
    assert not attempts.is_due(1000)
