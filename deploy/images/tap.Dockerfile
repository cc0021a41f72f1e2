# The far end of a sensor's interface, for trials: a veth pair and tcpdump.
FROM debian:bookworm-slim
RUN apt-get update \
  && apt-get install --yes --no-install-recommends iproute2 tcpdump \
  && rm -rf /var/lib/apt/lists/*
COPY deploy/compose/tap.sh /usr/local/bin/tap
ENTRYPOINT ["tap"]
