# The image that deploy/kubernetes and deploy/helm run:
#
#   docker build -t firn:0.1.0 .          (or podman, buildah)
#   docker run -v ./firn.yaml:/etc/firn/firn.yaml:ro -v firn:/var/lib/firn -e PGPASSWORD -p 127.0.0.1:9090:9090 firn:0.1.0
#
# The first stage makes the Debian package, which knows the libraries that the program needs; the second installs it.
ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BASE} AS build
WORKDIR /src
COPY scripts/install-dependencies scripts/install-dependencies
COPY requirements.txt ./
# apt-get's own output is an installer's log file; a base without sudo builds as root.
RUN scripts/install-dependencies build package
COPY . .
RUN scripts/build release firn \
 && cd build/release && cpack -G DEB -D CPACK_COMPONENTS_ALL=program \
 && mv packages/firn_*.deb /firn.deb

FROM ${BASE}
LABEL org.opencontainers.image.title="firn" \
      org.opencontainers.image.description="Replicates PostgreSQL into Apache Iceberg tables" \
      org.opencontainers.image.version="0.1.0"
# A user with a number, as Kubernetes' runAsNonRoot wants it; the package finds it there.
RUN groupadd --gid 10001 firn && useradd --uid 10001 --gid firn --home-dir /var/lib/firn --shell /usr/sbin/nologin firn
RUN --mount=type=bind,from=build,source=/firn.deb,target=/firn.deb \
    apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends /firn.deb \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/apt /var/log/dpkg.log \
 && firn --version
USER 10001:10001
# From outside of the container, as a port is published; the key index is a cache, and a volume keeps it.
ENV FIRN_HTTP_LISTEN=0.0.0.0:9090 FIRN_STATE_DIR=/var/lib/firn
EXPOSE 9090
VOLUME /var/lib/firn
# SIGTERM commits what is buffered.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
  CMD ["firn", "health", "--config", "/etc/firn/firn.yaml"]
ENTRYPOINT ["firn"]
CMD ["run", "--config", "/etc/firn/firn.yaml"]
