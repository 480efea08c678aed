"""exporter.simulator.login: users of the simulated router, as those of the real one's current generation."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.support.simulated_router import CHAT, Simulator, running, wait_until
from tests.unit.simulator.test_nodes import COUNTS, CURRENT_STATS_FIELDS, ENDPOINT_FIELDS

RIGHT = {"username": "boss", "password": "open sesame"}
KEY = {"Authorization": "Bearer sk_test"}


@pytest.fixture(scope="module")
def shared() -> Iterator[Simulator]:
    with running(
        generation="current",
        api_key="sk_test",
        user="boss",
        password="open sesame",
        token_lifetime_seconds=900,
    ) as simulator:
        yield simulator


@pytest.fixture
def router(shared: Simulator) -> Simulator:
    shared.end()
    return shared


def log_in(router: Simulator, **given: Any) -> requests.Response:
    return router.session.post(f"{router.url}/api/auth/login", json={**RIGHT, **given}, timeout=10)


def bearer(router: Simulator) -> dict[str, str]:
    return {"Authorization": f"Bearer {log_in(router).json()['token']}"}


def overview(router: Simulator, headers: dict[str, str]) -> requests.Response:
    return router.get("/api/dashboard/overview", headers=headers)


def test_a_right_login_gives_a_token_that_opens_the_overview(router: Simulator) -> None:
    router.post(CHAT, headers=KEY)
    answer = log_in(router)
    assert answer.status_code == 200
    assert answer.json()["expires_in"] == 900
    assert answer.json()["token"].count(".") == 2
    found = overview(router, bearer(router))
    document = found.json()
    assert set(document) == {"endpoints", "stats", "history", "generated_at", "generation_time_ms"}
    assert set(document["stats"]) == set(CURRENT_STATS_FIELDS.split())
    assert set(document["endpoints"][0]) == set(ENDPOINT_FIELDS.split()) | COUNTS
    assert [one["successful_requests"] for one in document["endpoints"]] == [1, 0]
    stats = document["stats"]
    assert (stats["successful_requests"], stats["total_output_tokens"], stats["queued_requests"]) == (1, 4, 0)


@pytest.mark.parametrize("given", [{"password": "no"}, {"username": "nobody"}, {"password": None}])
def test_a_wrong_login_is_401(router: Simulator, given: dict[str, Any]) -> None:
    answer = log_in(router, **given)
    assert (answer.status_code, answer.json()) == (401, {"error": "Invalid username or password"})


def test_a_login_is_a_post_of_json(router: Simulator) -> None:
    url = f"{router.url}/api/auth/login"
    assert router.get("/api/auth/login").status_code == 405
    assert router.session.post(url, data="{", timeout=10).status_code == 400
    assert router.session.post(url, json={"username": "boss"}, timeout=10).status_code == 422


def test_a_token_is_for_the_api_and_a_key_for_v1(router: Simulator) -> None:
    token = bearer(router)
    for path in ("/api/endpoints", "/api/metrics/cloud", "/api/dashboard/overview"):
        assert router.get(path, headers=token).status_code == 200
    refused = router.get("/v1/models", headers=token)
    assert (refused.status_code, refused.text) == (401, "Invalid API key")
    assert refused.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert router.get("/v1/models").text == "Missing X-API-Key header or Authorization header"
    assert overview(router, KEY).status_code == 401


@pytest.mark.parametrize("token", ["a.b.c", "a", "", "...."])
def test_what_is_no_token_of_its_own_opens_nothing(router: Simulator, token: str) -> None:
    assert overview(router, {"Authorization": f"Bearer {token}"}).status_code == 401


def test_a_token_with_other_claims_opens_nothing(router: Simulator) -> None:
    head, claims, signature = bearer(router)["Authorization"].split(".")
    assert overview(router, {"Authorization": f"{head}.{claims[:-2]}AA.{signature}"}).status_code == 401


def test_a_token_outlives_the_worker_and_not_the_fault(router: Simulator) -> None:
    token = bearer(router)
    before = router.truth()["pid"]
    router.begin("restart")
    router.wait_for_answer(but_not_from=before)
    assert overview(router, token).status_code == 200
    router.begin("expire_tokens")
    assert overview(router, token).status_code == 401
    assert overview(router, bearer(router)).status_code == 200


def test_a_token_ends_by_itself() -> None:
    with running(
        generation="current", user="boss", password="open sesame", token_lifetime_seconds=0.5
    ) as simulator:
        token = bearer(simulator)
        wait_until(lambda: overview(simulator, token).status_code == 401, "the token ends")


def test_faults_can_strike_the_login_alone(router: Simulator) -> None:
    token = bearer(router)
    router.begin("error", scope="login", status=503)
    assert log_in(router).status_code == 503
    assert overview(router, token).status_code == 200
    assert router.post(CHAT, headers=KEY).status_code == 200
    router.end()
    router.begin("hang", scope="login")
    with pytest.raises(requests.ReadTimeout):
        router.session.post(f"{router.url}/api/auth/login", json=RIGHT, timeout=0.3)
    assert overview(router, token).status_code == 200
    router.end()
    assert log_in(router).status_code == 200
