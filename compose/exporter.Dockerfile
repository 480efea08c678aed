# The image of every `soak` command: exporter and agent, load engine, simulator. Built from the checkout's root:
#
#   docker build -f compose/exporter.Dockerfile -t llm-router-soak:local .
#
# Another base has to be a Debian trixie with Python 3.13, venv and pip.
ARG BASE_IMAGE=python:3.13-slim-trixie

# --- the virtual environment; what pip needs beside it stays in this stage
FROM ${BASE_IMAGE} AS build
WORKDIR /src
RUN python3 -m venv /opt/soak
COPY pyproject.toml README.md ./
COPY exporter ./exporter
RUN /opt/soak/bin/pip install --no-cache-dir --disable-pip-version-check .

# --- what is shipped
FROM ${BASE_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="llm-router-soak" \
      org.opencontainers.image.description="Soak tests of an LLM router, watched live" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="MIT"

# The load engines that `soak run` starts.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends hey wrk \
    && rm -rf /var/lib/apt/lists/*

# Numbers, so that "not root" can be seen from outside; /results belongs to them, and so does a new volume there.
RUN groupadd --gid 65532 soak \
    && useradd --uid 65532 --gid 65532 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin soak \
    && install --directory --owner=65532 --group=65532 /results

# The same path in both stages: the scripts of a virtual environment name their interpreter by it.
COPY --from=build /opt/soak /opt/soak
ENV PATH=/opt/soak/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1

USER 65532:65532
WORKDIR /results
EXPOSE 9877/tcp 9878/udp
ENTRYPOINT ["soak"]
CMD ["exporter", "--web.listen-address", "0.0.0.0:9877", "--ingest.listen-address", "0.0.0.0:9878"]
