# Debian's packages in the shape of the images that cannot be pulled where the tests run: the same users, folders and
# programs of the healthchecks. BASE_IMAGE is made by debootstrap (daemon.py).
ARG BASE_IMAGE
FROM ${BASE_IMAGE} AS debian
RUN apt-get update \
    && apt-get install --yes --no-install-recommends prometheus prometheus-alertmanager victoria-metrics busybox curl \
    && rm -rf /var/lib/apt/lists/* \
    && ln -s /bin/busybox /usr/local/bin/wget

FROM debian AS prometheus
RUN install --directory --owner=65534 --group=65534 /prometheus
USER 65534
WORKDIR /prometheus
ENTRYPOINT ["/usr/bin/prometheus"]

FROM debian AS alertmanager
RUN install --directory --owner=65534 --group=65534 /alertmanager
USER 65534
WORKDIR /alertmanager
ENTRYPOINT ["/usr/bin/prometheus-alertmanager"]

# Grafana is in no Debian release. This answers its health check once everything that Grafana needs can be read.
FROM debian AS grafana
RUN install --directory --owner=472 --group=0 /var/lib/grafana \
    && install --directory /srv/api && touch /srv/api/health
USER 472
CMD ["sh", "-ec", "test -s \"$GF_SECURITY_ADMIN_PASSWORD__FILE\"; cat \"$GF_SECURITY_ADMIN_PASSWORD__FILE\" \
\"$GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH\" /etc/grafana/provisioning/*/*.yml >/dev/null; touch /var/lib/grafana/db; \
exec busybox httpd -f -p 3000 -h /srv"]

FROM debian AS store
RUN install --directory --owner=65534 --group=65534 /store
USER 65534
ENTRYPOINT ["/usr/bin/victoria-metrics", "-storageDataPath=/store"]
