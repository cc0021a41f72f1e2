# An S3 server for trials: a Ceph gateway whose store lives in memory. Not for captures that you want to keep.
FROM debian:bookworm-slim
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ceph-common ceph-mon ceph-osd radosgw \
  && rm -rf /var/lib/apt/lists/*
COPY deploy/compose/ceph.sh /usr/local/lib/ceph.sh
COPY deploy/compose/s3.sh /usr/local/bin/s3
EXPOSE 7480
HEALTHCHECK --interval=3s --timeout=3s --start-period=60s CMD ["test", "-e", "/run/s3-ready"]
ENTRYPOINT ["s3"]
