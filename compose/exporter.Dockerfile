# The image of every `soak` command. Built from the root (a checkout's, or that of `soak files`); the last target is the default one:
#
#   docker build -f compose/exporter.Dockerfile --target exporter -t llm-router-soak-exporter:local .   exporter, agent, simulator
#   docker build -f compose/exporter.Dockerfile --target soak -t llm-router-soak:local .                load and reports too
#
# Another base has to be a Debian trixie with Python 3.13, venv and pip. docs/containers.md: how to name it by digest.
ARG BASE_IMAGE=python:3.13-slim-trixie

# --- the virtual environments; what pip needs stays in these stages. Everything is pinned by hash (make lock), and
# nothing is built but the package itself, with a setuptools that is pinned too.
FROM ${BASE_IMAGE} AS build-exporter
WORKDIR /src
ENV PIP_CACHE_DIR=/var/cache/pip PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_ONLY_BINARY=:all:
RUN python3 -m venv --without-pip /opt/soak && python3 -m venv --without-pip /opt/build
COPY compose/requirements ./compose/requirements
RUN --mount=type=cache,target=/var/cache/pip \
    python3 -m pip --python /opt/soak/bin/python3 install --require-hashes -r compose/requirements/exporter.txt \
    && python3 -m pip --python /opt/build/bin/python3 install --require-hashes -r compose/requirements/build.txt
# The package and what it ships: .dockerignore keeps everything else outside.
COPY . ./
RUN python3 -m pip --python /opt/build/bin/python3 wheel --no-build-isolation --no-deps --no-index --wheel-dir wheel . \
    && python3 -m pip --python /opt/soak/bin/python3 install --no-deps --no-index wheel/*.whl \
    && python3 -m pip --python /opt/soak/bin/python3 check

FROM build-exporter AS build-soak
RUN --mount=type=cache,target=/var/cache/pip \
    python3 -m pip --python /opt/soak/bin/python3 install --require-hashes -r compose/requirements/report.txt \
    && python3 -m pip --python /opt/soak/bin/python3 check

# --- what both targets have around them
FROM ${BASE_IMAGE} AS base
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="llm-router-soak" \
      org.opencontainers.image.description="Soak tests of an LLM router, watched live" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="MIT"
# Numbers, so that "not root" can be seen from outside. A new volume takes over a folder's owner and mode: any user
# may be chosen to write there (EXPORTER_UID), and only this image's containers mount it.
RUN groupadd --gid 65532 soak \
    && useradd --uid 65532 --gid 65532 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin soak \
    && install --directory --owner=65532 --group=65532 --mode=0777 /results /var/lib/soak
COPY compose/watch-host.sh /usr/local/bin/watch-host
# The same path as in the build stages: the scripts of a virtual environment name their interpreter by it.
ENV PATH=/opt/soak/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    XDG_STATE_HOME=/var/lib/soak
WORKDIR /results
USER 65532:65532
ENTRYPOINT ["soak"]

# --- the exporter, which is also a node's agent and the simulated router
FROM base AS exporter
COPY --from=build-exporter /opt/soak /opt/soak
EXPOSE 9877/tcp 9878/udp
CMD ["exporter", "--web.listen-address", "0.0.0.0:9877", "--ingest.listen-address", "0.0.0.0:9878"]

# --- every command: load engines, plots
FROM base AS soak
USER root
RUN apt-get update \
    && apt-get install --yes --no-install-recommends hey wrk \
    && rm -rf /var/lib/apt/lists/*
USER 65532:65532
COPY --from=build-soak /opt/soak /opt/soak
# Where matplotlib may write, in a container whose root file system is read-only.
ENV MPLCONFIGDIR=/tmp/matplotlib
CMD ["--help"]
