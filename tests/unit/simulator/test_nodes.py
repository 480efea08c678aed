"""The simulated router's nodes: which serves, and what the dashboard and the endpoints say of each."""

from tests.support.simulated_router import CHAT, Simulator, post_bytes, running, wait_until

ENDPOINT_FIELDS = """id name base_url status endpoint_type latency_ms last_seen last_error error_count
model_count
"""
COUNTS = {"total_requests", "successful_requests", "failed_requests"}
CURRENT_STATS_FIELDS = """
total_runtimes online_runtimes offline_runtimes pending_runtimes registering_runtimes queued_requests
total_requests successful_requests failed_requests total_active_requests average_response_time_ms
average_gpu_usage average_gpu_memory_usage openai_key_present google_key_present anthropic_key_present
total_input_tokens total_output_tokens
"""
NODE_FIELDS = """
id machine_name ip_address runtime_version runtime_port status registered_at last_seen
uptime_seconds loaded_models cpu_usage memory_usage gpu_usage gpu_memory_usage gpu_memory_total_mb
gpu_memory_used_mb gpu_temperature gpu_model_name gpu_devices active_requests total_requests
successful_requests failed_requests average_response_time_ms metrics_last_updated_at metrics_stale
"""
STATS_FIELDS = """
total_nodes online_nodes offline_nodes total_requests successful_requests failed_requests
total_active_requests average_response_time_ms average_gpu_usage average_gpu_memory_usage
openai_key_present google_key_present anthropic_key_present
"""


def test_the_current_generation_has_endpoints_without_counts_for_the_api_key() -> None:
    with running(api_key="sk_test", generation="current") as simulator:
        right = {"Authorization": "Bearer sk_test"}
        simulator.post(CHAT, headers=right)
        simulator.begin("node_offline", node="node-2")
        for path in ("/api/endpoints", "/api/metrics/cloud"):
            assert simulator.get(path).status_code == 401
            assert simulator.get(path, headers=right).status_code == 200
        document = simulator.get("/api/endpoints", headers=right).json()
        assert document["total"] == 2
        assert [set(endpoint) for endpoint in document["endpoints"]] == [set(ENDPOINT_FIELDS.split())] * 2
        assert [(one["name"], one["status"]) for one in document["endpoints"]] == [
            ("node-1", "online"),
            ("node-2", "offline"),
        ]
        assert simulator.get("/api/dashboard/overview", headers=right).status_code == 401
        for path in ("/api/nodes", "/api/dashboard/nodes", "/metrics/cloud"):
            assert simulator.get(path, headers=right).status_code == 404


def test_nodes_serve_in_turn_and_the_dashboard_counts_what_each_served(simulator: Simulator) -> None:
    for _ in range(5):
        simulator.post(CHAT)
    simulator.begin("error", status=500)
    simulator.post(CHAT)
    nodes = simulator.get("/api/dashboard/nodes").json()
    assert [set(node) for node in nodes] == [set(NODE_FIELDS.split())] * 2
    assert [node["machine_name"] for node in nodes] == ["node-1", "node-2"]
    assert [node["total_requests"] for node in nodes] == [3, 3]
    assert [node["successful_requests"] for node in nodes] == [3, 2]
    assert [node["failed_requests"] for node in nodes] == [0, 1]
    assert [node["active_requests"] for node in nodes] == [0, 0]
    overview = simulator.get("/api/dashboard/overview").json()
    assert set(overview) == {"nodes", "stats", "history", "generated_at", "generation_time_ms"}
    stats = overview["stats"]
    assert set(stats) == set(STATS_FIELDS.split())
    assert (stats["total_nodes"], stats["online_nodes"], stats["offline_nodes"]) == (2, 2, 0)
    assert (stats["total_requests"], stats["successful_requests"], stats["failed_requests"]) == (6, 5, 1)
    assert len(overview["history"]) == 60
    assert sum(point["success"] for point in overview["history"]) == 5
    assert sum(point["error"] for point in overview["history"]) == 1


def test_a_request_in_flight_is_active_on_its_node(simulator: Simulator) -> None:
    simulator.begin("hang")
    with simulator.connect() as connection:
        connection.sendall(post_bytes())
        wait_until(lambda: simulator.truth()["hanging"] == 1, "the request hangs")
        stats = simulator.get("/api/dashboard/overview").json()["stats"]
        assert stats["total_active_requests"] == 1
        assert stats["average_gpu_usage"] == 6.25


def test_an_offline_node_serves_nothing_until_it_is_back(simulator: Simulator) -> None:
    simulator.begin("node_offline", node="node-1")
    for _ in range(4):
        assert simulator.post(CHAT).status_code == 200
    offline, online = simulator.get("/api/dashboard/nodes").json()
    assert (offline["status"], offline["total_requests"], offline["metrics_stale"]) == ("offline", 0, True)
    assert (online["status"], online["total_requests"], online["metrics_stale"]) == ("online", 4, False)
    assert offline["gpu_usage"] is None
    assert [node["status"] for node in simulator.get("/api/nodes").json()] == ["offline", "online"]
    simulator.end("node_offline")
    for _ in range(2):
        simulator.post(CHAT)
    assert [node["total_requests"] for node in simulator.get("/api/dashboard/nodes").json()] == [1, 5]


def test_without_an_online_node_there_is_no_service(simulator: Simulator) -> None:
    simulator.begin("node_offline", node=["node-1", "node-2"])
    answer = simulator.post(CHAT)
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "no_node_available"
    stats = simulator.get("/api/dashboard/overview").json()["stats"]
    assert (stats["online_nodes"], stats["offline_nodes"], stats["average_gpu_usage"]) == (0, 2, None)


def test_the_current_generation_counts_by_model_of_each_endpoint() -> None:
    with running(api_key="sk_test", generation="current", nodes=1) as simulator:
        right = {"Authorization": "Bearer sk_test"}
        (endpoint,) = simulator.get("/api/endpoints", headers=right).json()["endpoints"]
        path = f"/api/endpoints/{endpoint['id']}/model-stats"
        assert simulator.get(path).status_code == 401
        assert simulator.get(path, headers=right).json() == []
        for model in ("gpt-oss:20b", "gpt-oss:20b", "llama3:8b"):
            assert simulator.post({**CHAT, "model": model}, headers=right).status_code == 200
        simulator.begin("error", status=500)
        simulator.post(CHAT, headers=right)
        rows = simulator.get(path, headers=right).json()
        assert [row.pop("total_duration_ms") >= 0 for row in rows] == [True, True]
        assert rows == [
            {
                "model_id": "gpt-oss:20b",
                "total_requests": 3,
                "successful_requests": 2,
                "failed_requests": 1,
                "total_output_tokens": 8,
            },
            {
                "model_id": "llama3:8b",
                "total_requests": 1,
                "successful_requests": 1,
                "failed_requests": 0,
                "total_output_tokens": 4,
            },
        ]
        for other in ("/api/endpoints/nobody/model-stats", "/api/endpoints/../model-stats"):
            assert simulator.get(other, headers=right).status_code in (401, 404)
