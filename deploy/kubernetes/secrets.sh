#!/bin/sh
# Prints the two Secrets that capfleet.yaml names, with a new token and a new password each time:
#   sh deploy/kubernetes/secrets.sh | kubectl create -f -
# `create` refuses where they are there already: another password would shut the services out of their Redis.
# Another namespace: CAPFLEET_NAMESPACE=lab.
set -eu

namespace=${CAPFLEET_NAMESPACE:-capfleet}
token=$(openssl rand -hex 32)
password=$(openssl rand -hex 32)
hash=$(printf %s "$password" | openssl dgst -sha256 -r | cut -d ' ' -f 1)
acl=$(dirname "$0")/../chart/files/users.acl

cat <<END
apiVersion: v1
kind: Secret
metadata: { name: capfleet-coordinator, namespace: $namespace }
type: Opaque
stringData: { token: $token }
---
apiVersion: v1
kind: Secret
metadata: { name: capfleet-redis, namespace: $namespace }
type: Opaque
stringData:
  redis-username: capfleet
  redis-password: $password
  redis-url: redis://capfleet:$password@capfleet-redis.$namespace.svc:6379
  users.acl: |
$(sed "s/PASSWORD_SHA256/$hash/; s/^/    /" "$acl")
END
