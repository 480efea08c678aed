"""The ways between dashboards, from an alert to its dashboard, and into Grafana: links and provisioning."""

import json
import re
from typing import Any

import yaml
from queries import alerts

from tests.support.dashboards import GRAFANA, PAGES, ROOT, Json, every_dashboard, panels, rules, variables


@every_dashboard
def test_dashboards_link_to_each_other_and_keep_time_and_variables(page: Json) -> None:
    (link,) = page["links"]
    assert link["type"] == "dashboards" and link["includeVars"] and link["keepTime"]
    assert set(link["tags"]) <= set(page["tags"])


def links_in(value: Any) -> list[str]:
    """Every URL of a data link."""
    return re.findall(r'"url": "([^"]+)"', json.dumps(value))


@every_dashboard
def test_data_links_lead_to_a_dashboard_and_to_variables_that_it_has(page: Json) -> None:
    for panel in panels(page):
        columns = {
            name
            for step in panel.get("transformations", [])
            for name in step["options"].get("renameByName", {}).values()
        }
        for url in links_in(panel["fieldConfig"]):
            assert set(re.findall(r"__data\.fields\.(\w+)", url)) <= columns, url
            for uid in re.findall(r"^/d/([\w-]+)\?", url):
                assert set(re.findall(r"var-(\w+)=", url)) <= set(variables(PAGES[uid])), url
            assert url.startswith(("/d/", "https://docs.nvidia.com/")), url


def test_every_alert_leads_to_the_dashboard_that_shows_it() -> None:
    def dashboard_of(alert: str) -> str:
        matching = [uid for name, uid in alerts.DASHBOARD_OF_ALERT.items() if re.fullmatch(name, alert)]
        return str(matching[-1])

    led = {rule["alert"]: dashboard_of(rule["alert"]) for rule in rules("alert")}
    assert set(led.values()) == {"soak", "leaks", "router-and-nodes", "gpu", "stack-health"}
    assert {alert for alert, uid in led.items() if uid == "leaks"} == {
        *("ProcessMemoryLeak", "ProcessFdLeak", "ProcessThreadLeak", "ConnectionLeak", "GpuMemoryLeak"),
        *("ProcessMemoryGrowing", "NodeMemoryLeak"),
    }
    assert {led[name] for name in ("GpuXidError", "GpuEccError", "GpuThrottled", "GpuDisappeared")} == {"gpu"}
    assert {led[name] for name in ("ExporterDown", "CollectorFailing", "Watchdog")} == {"stack-health"}
    assert {led[name] for name in ("RouterDown", "NodeOffline", "NodeMemoryPressure")} == {"router-and-nodes"}
    assert all(led[name] == "soak" for name in led if name.startswith("Benchmark"))


def test_the_datasource_is_provisioned_under_a_fixed_uid() -> None:
    text = (GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    assert document["apiVersion"] == 1
    (source,) = document["datasources"]
    assert (source["uid"], source["type"], source["isDefault"]) == ("prometheus", "prometheus", True)
    assert source["url"] == "$PROMETHEUS_URL"
    scrape = yaml.safe_load((ROOT / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    assert source["jsonData"]["timeInterval"] == scrape["global"]["scrape_interval"]
    assert source["jsonData"]["httpMethod"] == "POST"
    # "Provision Grafana", "Example data source config file" and its list of jsonData for Prometheus.
    keys = "name uid type access url isDefault editable jsonData orgId version secureJsonData basicAuth"
    assert set(source) <= set(keys.split())
    assert set(source["jsonData"]) <= {"timeInterval", "httpMethod", "prometheusType", "prometheusVersion"}


def test_the_dashboards_are_provisioned_into_a_folder_from_where_the_environment_says() -> None:
    text = (GRAFANA / "provisioning" / "dashboards" / "dashboards.yml").read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    assert document["apiVersion"] == 1
    (provider,) = document["providers"]
    assert provider["type"] == "file"
    assert provider["options"]["path"] == "$GRAFANA_DASHBOARDS_PATH"
    assert provider["allowUiUpdates"] is False
    assert (provider["folder"], provider["folderUid"]) == ("LLM router soak", "llm-router-soak")
    # "Provision Grafana", "Dashboards": the keys of a provider and of its options.
    keys = "name orgId folder folderUid type disableDeletion updateIntervalSeconds allowUiUpdates options"
    assert set(provider) <= set(keys.split())
    assert set(provider["options"]) <= {"path", "foldersFromFilesStructure"}
