# To be sourced: one Ceph monitor, one store that lives in memory and one gateway that speaks S3. Expects `folder`, the ports
# `monitor` and `gateway`, the `address` that the gateway listens on, the keys `access` and `secret`, the size of the store in
# `memory`, and `start NAME COMMAND...`, which starts a process that stays.

configure() {
  mkdir -p "$folder/mon" "$folder/osd" "$folder/rgw" "$folder/run" "$folder/log"
  cat >"$CEPH_CONF" <<CONF
[global]
fsid = $fsid
mon_host = [v2:127.0.0.1:$monitor]
mon_initial_members = a
public_addr = 127.0.0.1
keyring = $folder/keyring
auth_allow_insecure_global_id_reclaim = false
run_dir = $folder/run
admin_socket = $folder/run/\$name.\$pid.asok
log_file = $folder/log/\$name.log
pid_file = $folder/run/\$name.pid
mon_data = $folder/mon
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_data_avail_warn = 1
mon_data_avail_crit = 1
osd_data = $folder/osd
osd_objectstore = memstore
memstore_device_bytes = $memory
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
osd_class_load_list = *
osd_class_default_list = *
[client.rgw.a]
rgw_frontends = beast endpoint=$address:$gateway tcp_nodelay=1
rgw_data = $folder/rgw
CONF
}

make_keys() {
  ceph-authtool --create-keyring "$folder/keyring" --gen-key --name mon. --cap mon 'allow *'
  ceph-authtool "$folder/keyring" --gen-key --name client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
  ceph-authtool "$folder/keyring" --gen-key --name osd.0 --cap mon 'allow profile osd' --cap osd 'allow *'
  ceph-authtool "$folder/keyring" --gen-key --name client.rgw.a --cap mon 'allow rwx' --cap osd 'allow rwx'
}

# until_so TRIES COMMAND...: tries it every fifth of a second.
until_so() {
  tries=$1
  shift
  while ! "$@"; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || return 1
    sleep 0.2
  done
}

# 0A is LISTEN; the port in hexadecimal.
listens() { grep -qi "^ *[0-9]*: [0-9A-F]*:$(printf '%04X' "$gateway") .* 0A " /proc/net/tcp; }

serve() {
  set -e
  fsid=$(cat /proc/sys/kernel/random/uuid)
  export CEPH_CONF="$folder/ceph.conf"
  configure
  make_keys
  monmaptool --create --fsid "$fsid" --addv a "[v2:127.0.0.1:$monitor]" "$folder/monmap"
  ceph-mon --mkfs --id a --monmap "$folder/monmap" --keyring "$folder/keyring"
  start mon ceph-mon --foreground --id a
  timeout 60 ceph --status
  osd=$(cat /proc/sys/kernel/random/uuid)
  ceph osd new "$osd" 0
  ceph-osd --id 0 --mkfs --osd-uuid "$osd"
  start osd ceph-osd --foreground --id 0
  until_so 300 sh -c 'ceph osd stat | grep -q "1 up"'
  start gateway radosgw --foreground --name client.rgw.a
  until_so 600 listens
  radosgw-admin --name client.rgw.a user create --uid capfleet --display-name capfleet \
    --access-key "$access" --secret-key "$secret" >/dev/null
}
