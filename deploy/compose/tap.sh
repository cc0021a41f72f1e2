#!/bin/sh
# A sensor host's interface and its far end: what is sent into replay0 arrives at far0 and is captured.
set -eu
if ! ip link show replay0 >/dev/null 2>&1; then
  ip link add replay0 mtu 9000 type veth peer name far0 mtu 9000
  ip link set replay0 up
  ip link set far0 up
fi
exec tcpdump --interface far0 --direction in --immediate-mode --packet-buffered --snapshot-length 9216 \
  --time-stamp-precision nano --buffer-size 131072 -n -w "$1"
