"""prometheus.yml with a remote store: Prometheus merges no configuration files, so the whole of it again."""

from exporter.settings.shipped import CHECKOUT

SHIPPED = CHECKOUT / "prometheus" / "prometheus.yml"
BEFORE_LABELS = "  evaluation_interval: 5s\n"
"""the line of prometheus.yml that the external labels come after: the last of `global`"""
HEAD = """\
# rendered from prometheus/source/remote_write.py, by `soak rules render`
# prometheus.yml, and every sample to a remote store as well: Mimir, Thanos Receive, VictoriaMetrics. The
# address and the credentials of the store are in the block `remote_write` at the end: change them in the
# source and render, or in a copy that REMOTE_WRITE_CONFIG names. compose/compose.remote-write.yaml uses
# this file.

"""
LABELS = """\

  # These labels name this Prometheus to a store that several share; alerts have them too.
  external_labels:
    cluster: soak
"""
STORE = """\

remote_write:
  # One of:  Mimir http://mimir:8080/api/v1/push · Thanos Receive http://receive:19291/api/v1/receive
  #          VictoriaMetrics http://victoria-metrics:8428/api/v1/write
  - url: http://host.docker.internal:8428/api/v1/write
    name: store
    remote_timeout: 30s
    # Credentials come from files, which are read with every request. Take the # from one of the two.
    # basic_auth: {username: soak, password_file: secrets/remote-write-password}
    # authorization: {credentials_file: secrets/remote-write-token}
    # Mimir's tenant:
    # headers: {X-Scope-OrgID: soak}
    queue_config:
      # A soak's few thousand series at 5 s are under 2,000 samples a second: one shard sends that, the others
      # catch up after the store was away.
      capacity: 20000
      max_samples_per_send: 5000
      max_shards: 10
      batch_send_deadline: 5s
      min_backoff: 100ms
      max_backoff: 5s
      # A store that answers "too many requests" is asked again; without this those samples are lost.
      retry_on_http_429: true
"""


def configuration() -> str:
    """The text of prometheus.remote-write.yml; ValueError where prometheus.yml lacks the line to build on."""
    text = SHIPPED.read_text(encoding="utf-8")
    if text.count(BEFORE_LABELS) != 1:
        raise ValueError(f"{SHIPPED}: the line {BEFORE_LABELS.strip()!r} is not there exactly once")
    return HEAD + text.replace(BEFORE_LABELS, BEFORE_LABELS + LABELS) + STORE
