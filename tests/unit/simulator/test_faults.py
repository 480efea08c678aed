"""The simulated router's faults of answers: errors, drops, hangs and the like; commands refused."""

import time

import pytest

from tests.support.simulated_router import CHAT, Simulator, post_bytes, running, wait_until


def test_an_error_strikes_all_by_default_with_the_status_asked_for(simulator: Simulator) -> None:
    simulator.begin("error", status=429)
    answer = simulator.post(CHAT)
    assert answer.status_code == 429
    assert answer.json()["error"]["type"] == "rate_limit_error"
    assert simulator.get("/v1/models").status_code == 200
    simulator.end("error")
    assert simulator.post(CHAT).status_code == 200
    assert simulator.truth()["inference_responses"] == {"200": 1, "429": 1}


def test_a_ratio_strikes_the_same_requests_again_for_the_same_command(simulator: Simulator) -> None:
    runs = []
    for _ in range(2):
        simulator.begin("error", status=503, ratio=0.3)
        runs.append([simulator.post(CHAT).status_code for _ in range(60)])
    assert runs[0] == runs[1]
    assert 8 <= runs[0].count(503) <= 28
    assert simulator.truth()["inference_responses"]["503"] == 2 * runs[0].count(503)
    state = simulator.get("/admin/faults/error").json()["error"]
    assert state["strikes"] == runs[0].count(503)
    assert state["parameters"] == {"ratio": 0.3, "scope": "inference", "status": 503}


def test_dropped_connections_end_without_an_answer(simulator: Simulator) -> None:
    simulator.begin("drop_connections", mode="fin")
    assert simulator.raw(post_bytes()) == b""
    simulator.begin("drop_connections", mode="rst")
    with pytest.raises(ConnectionResetError):
        simulator.raw(post_bytes())
    truth = simulator.truth()
    assert truth["dropped"] == 2
    assert truth["inference_responses"] == {}
    assert simulator.get("/api/dashboard/overview").json()["stats"]["failed_requests"] == 2


def test_a_hanging_request_is_dropped_when_the_fault_ends(simulator: Simulator) -> None:
    simulator.begin("hang")
    with simulator.connect() as connection:
        connection.sendall(post_bytes())
        wait_until(lambda: simulator.truth()["hanging"] == 1, "the request hangs")
        connection.settimeout(0.1)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(10)
        simulator.end("hang")
        assert connection.recv(1) == b""
    truth = simulator.truth()
    assert (truth["hung"], truth["hanging"], truth["abandoned"]) == (1, 0, 0)


def test_a_hanging_request_whose_client_leaves_is_abandoned(simulator: Simulator) -> None:
    simulator.begin("hang")
    with simulator.connect() as connection:
        connection.sendall(post_bytes())
        wait_until(lambda: simulator.truth()["hanging"] == 1, "the request hangs")
    wait_until(lambda: simulator.truth()["hanging"] == 0, "the client's leaving is seen")
    truth = simulator.truth()
    assert (truth["hung"], truth["abandoned"], truth["open_connections"]) == (1, 1, 1)


def test_nothing_hangs_longer_than_its_bound() -> None:
    with running(hang_seconds=0.2) as simulator:
        simulator.begin("hang")
        assert simulator.raw(post_bytes()) == b""
        assert simulator.truth()["hung"] == 1


def test_a_truncated_answer_announces_more_than_comes(simulator: Simulator) -> None:
    simulator.begin("truncate")
    head, _, body = simulator.raw(post_bytes()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    announced = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
    assert len(body) == announced // 2
    assert simulator.truth()["truncated"] == 1
    assert simulator.truth()["inference_responses"] == {}


def test_slow_answers_take_longer_by_what_is_added(simulator: Simulator) -> None:
    simulator.begin("slow", add_seconds=0.2)
    started = time.monotonic()
    assert simulator.post(CHAT).status_code == 200
    assert time.monotonic() - started >= 0.195


def test_slow_answers_take_longer_by_a_factor() -> None:
    with running(latency_median_seconds=0.02, latency_p99_seconds=0.02) as simulator:
        simulator.begin("slow", factor=10)
        started = time.monotonic()
        assert simulator.post(CHAT).status_code == 200
        assert time.monotonic() - started >= 0.195


def test_a_fault_of_all_scopes_strikes_the_dashboard_but_never_the_admin_api(simulator: Simulator) -> None:
    simulator.begin("error", status=502, scope="all")
    assert simulator.get("/api/dashboard/nodes").status_code == 502
    assert simulator.get("/v1/models").status_code == 502
    assert simulator.get("/admin/truth").status_code == 200
    assert simulator.end()["error"] == {"active": False}
    assert simulator.get("/api/dashboard/nodes").status_code == 200


@pytest.mark.parametrize(
    ("name", "body", "key", "right"),
    [
        ("error", '{"status":200}', "error.status", "400"),
        ("error", '{"ratio":0}', "error.ratio", "greater than 0"),
        ("error", '{"status":"500"}', "error.status", "integer"),
        ("error", '{"statsu":500}', "error.statsu", "ratio, scope, status"),
        ("leak_memory", "{}", "leak_memory", "one of bytes_per_second, bytes_per_request"),
        ("leak_fds", '{"per_second":1,"per_request":1}', "leak_fds", "one of per_second, per_request"),
        ("slow", "", "slow", "one of factor, add_seconds"),
        ("drop_connections", '{"mode":"x"}', "drop_connections.mode", "'fin' or 'rst'"),
        ("node_offline", '{"node":"n"}', "node_offline.node", "node-1, node-2"),
        ("restart", '{"x":1}', "restart.x", "downtime_seconds"),
        ("hang", "[", "hang", "JSON"),
    ],
)
def test_a_wrong_command_is_refused_in_one_line(
    shared: Simulator, name: str, body: str, key: str, right: str
) -> None:
    shared.end()
    answer = shared.session.put(f"{shared.url}/admin/faults/{name}", data=body, timeout=10)
    assert answer.status_code == 400
    shown = answer.json()["error"]["message"]
    assert shown.startswith(f"{key}: ")
    assert right in shown
    assert "\n" not in shown
    assert not any(fault["active"] for fault in shared.get("/admin/faults").json().values())


@pytest.mark.parametrize(
    ("path", "key", "right"),
    [
        ("/admin/faults/hang?release=1", "hang", "leak_memory and leak_fds"),
        ("/admin/faults/leak_fds?release=yes", "release", "0 or 1"),
        ("/admin/faults?relaese=1", "relaese", "release"),
    ],
)
def test_a_wrong_release_is_refused(shared: Simulator, path: str, key: str, right: str) -> None:
    answer = shared.session.delete(shared.url + path, timeout=10)
    assert answer.status_code == 400
    shown = answer.json()["error"]["message"]
    assert shown.startswith(f"{key}: ")
    assert right in shown
