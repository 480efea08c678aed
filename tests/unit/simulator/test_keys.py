"""The simulated router's API keys: its own, and those of the clouds behind it."""

from prometheus_client.parser import text_string_to_metric_families

from tests.support.simulated_router import CHAT, Simulator, running


def test_an_api_key_is_required_for_v1_and_nothing_else() -> None:
    with running(api_key="sk_test") as simulator:
        refused = simulator.post(CHAT)
        assert refused.status_code == 401
        assert refused.json()["error"]["code"] == "invalid_api_key"
        assert simulator.post(CHAT, headers={"Authorization": "Bearer other"}).status_code == 401
        assert simulator.get("/v1/models").status_code == 401
        right = {"Authorization": "Bearer sk_test"}
        assert simulator.post(CHAT, headers=right).status_code == 200
        assert simulator.get("/v1/models", headers=right).status_code == 200
        assert simulator.get("/api/dashboard/overview").status_code == 200
        assert simulator.truth()["inference_responses"] == {"200": 1, "401": 2}


def cloud_samples(simulator: Simulator) -> dict[tuple[str, str, str], float]:
    families = text_string_to_metric_families(simulator.get("/metrics/cloud").text)
    return {
        (sample.name, sample.labels["provider"], sample.labels.get("status", sample.labels.get("le", ""))): (
            sample.value
        )
        for family in families
        for sample in family.samples
    }


def test_a_cloud_model_needs_the_key_of_its_provider() -> None:
    with running(environment={"GOOGLE_API_KEY": "k"}) as simulator:
        refused = simulator.post({**CHAT, "model": "openai:gpt-4o"})
        assert refused.status_code == 401
        assert "OPENAI_API_KEY" in refused.json()["error"]["message"]
        assert simulator.post({**CHAT, "model": "google:gemini-2.5-pro"}).status_code == 200
        unknown = simulator.post({**CHAT, "model": "mistral:large"})
        assert unknown.status_code == 400
        assert "unknown prefix 'mistral'" in unknown.json()["error"]["message"]
        stats = simulator.get("/api/dashboard/overview").json()["stats"]
        assert stats["google_key_present"] is True
        assert stats["openai_key_present"] is False
        assert stats["total_requests"] == 0
        samples = cloud_samples(simulator)
        assert samples["cloud_requests_total", "google", "200"] == 1
        assert samples["cloud_requests_total", "openai", "200"] == 0
        assert samples["cloud_request_latency_seconds_count", "google", ""] == 1
        assert samples["cloud_request_latency_seconds_bucket", "google", "+Inf"] == 1


def test_cloud_keys_can_be_simulated_and_faults_strike_clouds_too() -> None:
    with running(cloud_keys=True) as simulator:
        for model in ("openai:gpt-4o", "google:gemini-2.5-pro", "anthropic:claude"):
            assert simulator.post({**CHAT, "model": model}).json()["model"] == model
        simulator.begin("error", status=429)
        assert simulator.post({**CHAT, "model": "anthropic:claude"}).status_code == 429
        samples = cloud_samples(simulator)
        assert samples["cloud_requests_total", "anthropic", "200"] == 1
        assert samples["cloud_requests_total", "anthropic", "429"] == 1


def test_a_local_name_with_a_tag_is_no_cloud_prefix(simulator: Simulator) -> None:
    assert simulator.post({**CHAT, "model": "llama3.1:8b"}).status_code == 200
    assert simulator.post({**CHAT, "model": "llama3.1:latest"}).status_code == 200
