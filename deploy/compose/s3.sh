#!/bin/bash
# The S3 server of the trial, on port 7480, with the access key of the credentials file $1.
credentials=$1
key() { sed -n "s/^$1 = //p" "$credentials"; }
# shellcheck disable=SC2034 # what ceph.sh expects
folder=/var/lib/s3 monitor=3300 gateway=7480 address=0.0.0.0 memory=${S3_MEMORY:-2G}
# shellcheck disable=SC2034
access=$(key aws_access_key_id) secret=$(key aws_secret_access_key)
. /usr/local/lib/ceph.sh

start() {
  shift
  "$@" &
}

# The store is gone with the container, so each start is the first.
rm -rf /run/s3-ready "$folder"
serve
touch /run/s3-ready
# One that ends takes the others along.
wait -n
exit 1
