# linda with Chromium, as a user who is not root. docs/production.md says how it is run.
FROM debian:bookworm-slim AS build

# Debian keeps one version of a package at a time: a pin would break the build at the next security update.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE THIRD-PARTY-NOTICES.md ./
COPY linda_cli linda_cli
RUN python3 -m venv /opt/linda \
 && /opt/linda/bin/pip install --no-cache-dir -c constraints.txt ".[server]" \
 && /opt/linda/bin/python -m compileall -q /opt/linda

FROM debian:bookworm-slim

# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
    ca-certificates chromium chromium-driver fonts-liberation fonts-noto-color-emoji python3 \
 && rm -rf /var/lib/apt/lists/*

RUN useradd --uid 10001 --create-home linda \
 && install -d -o linda -g linda -m 0700 /data

COPY --from=build /opt/linda /opt/linda

ENV PATH=/opt/linda/bin:/usr/local/bin:/usr/bin:/bin \
    LINDA_HOME=/data \
    PYTHONUNBUFFERED=1

USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8350
STOPSIGNAL SIGTERM

# For the server. Of one session: linda info --check.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8350/readyz', timeout=8)"]

ENTRYPOINT ["linda"]
CMD ["serve", "--host", "0.0.0.0"]
