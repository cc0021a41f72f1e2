#!/bin/sh
# Prints the two Secrets that capfleet.yaml names, with a new token and new passwords each time:
#   sh deploy/kubernetes/secrets.sh | kubectl create -f -
# `create` refuses where they are there already: other passwords would shut the services out of their Redis.
# Another namespace: CAPFLEET_NAMESPACE=lab.
set -eu

namespace=${CAPFLEET_NAMESPACE:-capfleet}
token=$(openssl rand -hex 32)
users=$(cat "$(dirname "$0")/../chart/files/users.acl")

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
  redis-username-keda: keda
END
for user in coordinator mapper replayer keda; do
  password=$(openssl rand -hex 32)
  hash=$(printf %s "$password" | openssl dgst -sha256 -r | cut -d ' ' -f 1)
  users=$(printf %s "$users" | sed "s/>$(printf %s "$user" | tr '[:lower:]' '[:upper:]')_PASSWORD/#$hash/")
  [ "$user" = keda ] || echo "  redis-url-$user: redis://$user:$password@capfleet-redis.$namespace.svc:6379"
  echo "  redis-password-$user: $password"
done
echo '  users.acl: |'
printf '%s\n' "$users" | sed 's/^/    /'
