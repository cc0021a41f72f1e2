#!/bin/sh
# A real S3 server on loopback: a Ceph gateway with one monitor and one store that lives in memory, all in FOLDER.
#   ceph-gateway.sh FOLDER MONITOR_PORT GATEWAY_PORT ACCESS_KEY SECRET_KEY
# Says `ready` on standard output when it serves, and lives until its standard input closes; then all its processes
# and FOLDER are gone. To be started as the leader of a process group. What went wrong is in FOLDER/log, and the end of
# it on standard error.
folder=$1 monitor=$2 gateway=$3 access=$4 secret=$5
# shellcheck disable=SC2034 # what ceph.sh expects
address=127.0.0.1 memory=6G
. "$(dirname "$0")/../../deploy/compose/ceph.sh"

start() {
  name=$1
  shift
  "$@" >"$folder/log/$name.out" 2>&1 3>&- &
  echo $! >>"$folder/pids"
}

mkdir -p "$folder/log"
{ (set -e; serve; echo ready >&3) >"$folder/log/serve.out" 2>&1 || tail -n 25 "$folder/log/serve.out" >&2; } 3>&1 </dev/null &
cat >/dev/null
trap '' TERM
[ ! -e "$folder/pids" ] || xargs kill -KILL <"$folder/pids" 2>/dev/null
kill -TERM 0
wait
rm -rf "$folder"
