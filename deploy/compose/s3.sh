#!/bin/bash
# One monitor, one store in memory and one gateway on port 7480, with the access key of the credentials file $1.
set -eu
rm -f /run/s3-ready
folder=/var/lib/s3
mkdir -p "$folder"/mon "$folder"/osd "$folder"/gateway "$folder"/run "$folder"/log
export CEPH_CONF=$folder/ceph.conf
key() { sed -n "s/^$1 = //p" "$credentials"; }
credentials=$1

cat >"$CEPH_CONF" <<CONF
[global]
fsid = $(cat /proc/sys/kernel/random/uuid)
mon_host = [v2:127.0.0.1:3300]
mon_initial_members = a
public_addr = 127.0.0.1
keyring = $folder/keyring
auth_allow_insecure_global_id_reclaim = false
run_dir = $folder/run
log_to_file = false
log_to_stderr = true
admin_socket = $folder/run/\$name.asok
mon_data = $folder/mon
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_data_avail_warn = 1
mon_data_avail_crit = 1
osd_data = $folder/osd
osd_objectstore = memstore
memstore_device_bytes = ${S3_MEMORY:-2G}
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
osd_class_load_list = *
osd_class_default_list = *
[client.rgw.a]
rgw_frontends = beast endpoint=0.0.0.0:7480 tcp_nodelay=1
rgw_data = $folder/gateway
CONF

# The store is gone with the container, so each start is the first.
rm -rf "$folder"/mon/* "$folder"/osd/* "$folder"/keyring
keyring() { ceph-authtool "$folder/keyring" --gen-key --name "$@" >/dev/null; }
touch "$folder/keyring"
keyring mon. --cap mon 'allow *'
keyring client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
keyring osd.0 --cap mon 'allow profile osd' --cap osd 'allow *'
keyring client.rgw.a --cap mon 'allow rwx' --cap osd 'allow rwx'

monmaptool --create --clobber --fsid "$(sed -n 's/^fsid = //p' "$CEPH_CONF")" --addv a '[v2:127.0.0.1:3300]' "$folder/monmap"
ceph-mon --mkfs --id a --monmap "$folder/monmap" --keyring "$folder/keyring"
ceph-mon --foreground --id a &
timeout 60 ceph --status
id=$(cat /proc/sys/kernel/random/uuid)
ceph osd new "$id" 0
ceph-osd --id 0 --mkfs --osd-uuid "$id"
ceph-osd --foreground --id 0 &
until ceph osd stat | grep -q '1 up'; do sleep 0.2; done
radosgw --foreground --name client.rgw.a &
until curl --silent --output /dev/null http://127.0.0.1:7480; do sleep 0.2; done
radosgw-admin --name client.rgw.a user create --uid capfleet --display-name capfleet \
  --access-key "$(key aws_access_key_id)" --secret-key "$(key aws_secret_access_key)" >/dev/null
touch /run/s3-ready
# One that ends takes the others along.
wait -n
exit 1
