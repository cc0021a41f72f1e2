{{- define "capfleet.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "capfleet.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "capfleet.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "capfleet.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- /* What never changes over a release's life: selectors are immutable. */ -}}
{{- define "capfleet.selectorLabels" -}}
app.kubernetes.io/name: {{ include "capfleet.name" .root | quote }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "capfleet.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{ include "capfleet.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: capfleet
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{- define "capfleet.image" -}}
{{- $repository := printf "capfleet/%s" .component }}
{{- with .root.Values.image.registry }}{{- $repository = printf "%s/%s" (trimSuffix "/" .) $repository }}{{- end }}
{{- printf "%s:%s" $repository (default .root.Chart.AppVersion .root.Values.image.tag) }}
{{- end }}

{{- define "capfleet.serviceAccount" -}}
{{- $account := (index .root.Values .component).serviceAccount }}
{{- if $account.create }}
{{- default (printf "%s-%s" (include "capfleet.fullname" .root) .component) $account.name }}
{{- else }}
{{- default "default" $account.name }}
{{- end }}
{{- end }}

{{- define "capfleet.tokenSecret" -}}
{{- default (printf "%s-coordinator" (include "capfleet.fullname" .)) .Values.coordinator.existingSecret }}
{{- end }}

{{- define "capfleet.redisSecret" -}}
{{- default (printf "%s-redis" (include "capfleet.fullname" .)) .Values.redis.existingSecret }}
{{- end }}

{{- /* The key of its Secret in which a service (or KEDA) finds its own user of Redis. */ -}}
{{- define "capfleet.redisKey" -}}
{{- if and (not .root.Values.redis.internal) .root.Values.redis.external.oneUser }}{{ .key }}{{ else }}{{ .key }}-{{ .user }}{{ end }}
{{- end }}

{{- /* Made once in a rendering, or found again by `lookup`: several templates speak of the same password. */ -}}
{{- define "capfleet.redisPassword" -}}
{{- $values := .root.Values }}
{{- if not (hasKey $values "madePasswords") }}{{ $_ := set $values "madePasswords" dict }}{{ end }}
{{- if not (hasKey $values.madePasswords .user) }}
{{- $kept := lookup "v1" "Secret" .root.Release.Namespace (include "capfleet.redisSecret" .root) }}
{{- $old := dig "data" (printf "redis-password-%s" .user) "" $kept | b64dec }}
{{- $_ := set $values.madePasswords .user (default (randAlphaNum 48) $old) }}
{{- end }}
{{- index $values.madePasswords .user }}
{{- end }}

{{- define "capfleet.redisUrl" -}}
{{ ternary "rediss" "redis" .root.Values.redis.tls.enabled }}://{{ .user }}:{{ include "capfleet.redisPassword" . }}@{{ include "capfleet.redisHost" .root }}:6379
{{- end }}

{{- /* The rules of deploy/redis, with hashes where those have passwords. */ -}}
{{- define "capfleet.redisUsers" -}}
{{- $users := .Files.Get "files/users.acl" }}
{{- range $user := list "coordinator" "mapper" "replayer" "keda" }}
{{- $hash := include "capfleet.redisPassword" (dict "root" $ "user" $user) | sha256sum }}
{{- $users = replace (printf ">%s_PASSWORD" (upper $user)) (printf "#%s" $hash) $users }}
{{- end }}
{{- trim $users }}
{{- end }}

{{- define "capfleet.token" -}}
{{- if not (hasKey .Values "madeToken") }}
{{- $kept := lookup "v1" "Secret" .Release.Namespace (include "capfleet.tokenSecret" .) }}
{{- $_ := set .Values "madeToken" (default (randAlphaNum 48) (dig "data" "token" "" $kept | b64dec)) }}
{{- end }}
{{- .Values.madeToken }}
{{- end }}

{{- /* Secrets that are made here are read at a pod's start only: a pod is made anew when its own change. */ -}}
{{- define "capfleet.podAnnotations" -}}
{{- $values := .root.Values }}
{{- $all := dict }}
{{- if and $values.redis.internal (not $values.redis.existingSecret) }}
{{- if eq .component "redis" }}
{{- $_ := set $all "checksum/users" (include "capfleet.redisUsers" .root | sha256sum) }}
{{- else }}
{{- $_ := set $all "checksum/redis-url" (include "capfleet.redisUrl" (dict "root" .root "user" .component) | sha256sum) }}
{{- end }}
{{- end }}
{{- if and (eq .component "coordinator") (not $values.coordinator.existingSecret) }}
{{- $_ := set $all "checksum/token" (include "capfleet.token" .root | sha256sum) }}
{{- end }}
{{- with merge $all (index $values .component).podAnnotations }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{- define "capfleet.redisHost" -}}
{{ include "capfleet.fullname" . }}-redis.{{ .Release.Namespace }}.svc
{{- end }}

{{- /* Whether the URL of Redis is in a Secret: always, but for an external one without a password. */ -}}
{{- define "capfleet.redisUrlIsSecret" -}}
{{- if or .Values.redis.internal .Values.redis.existingSecret }}true{{ end }}
{{- end }}

{{- define "capfleet.redisTls" -}}
{{- if .Values.redis.internal }}
{{- if .Values.redis.tls.clientSecret }}{{ fail "redis.tls.clientSecret: the internal Redis knows its clients by their passwords" }}{{ end }}
{{- if .Values.redis.tls.enabled }}true{{ end }}
{{- else if hasPrefix "rediss" .Values.redis.external.url }}true
{{- else if .Values.redis.tls.enabled }}
{{- if .Values.redis.external.url }}{{ fail "redis.tls.enabled: but redis.external.url says redis://, which is without TLS" }}{{ end }}true
{{- end }}
{{- end }}

{{- /* The database of the URL, for KEDA; nothing where it is the first. */ -}}
{{- define "capfleet.redisDatabase" -}}
{{- if not .Values.redis.internal }}
{{- $said := int .Values.redis.external.database }}
{{- with .Values.redis.external.url }}
{{- $path := regexReplaceAll "^[^/]*//[^/]*/?" . "" }}
{{- if contains "+sentinel:" . }}{{ $path = regexReplaceAll "^[^/]*/?" $path "" }}{{ end }}
{{- if and $said (ne $said (atoi $path)) }}{{ fail "redis.external.database: redis.external.url says another one" }}{{ end }}
{{- $said = atoi $path }}
{{- end }}
{{- if $said }}{{ $said }}{{ end }}
{{- end }}
{{- end }}

{{- /* Whether KEDA needs a TriggerAuthentication: for a user, or for an authority. */ -}}
{{- define "capfleet.redisAuthentication" -}}
{{- if or (include "capfleet.redisUrlIsSecret" .) (and (include "capfleet.redisTls" .) (or .Values.caConfigMap .Values.redis.tls.clientSecret)) }}true{{ end }}
{{- end }}

{{- /* HOST:PORT, for KEDA. */ -}}
{{- define "capfleet.redisAddress" -}}
{{- if .Values.redis.internal }}
{{- include "capfleet.redisHost" . }}:6379
{{- else if .Values.redis.external.address }}
{{- .Values.redis.external.address }}
{{- else if regexMatch "^rediss?://" .Values.redis.external.url }}
{{- $host := (urlParse .Values.redis.external.url).host }}
{{- if regexMatch ":[0-9]+$" $host }}{{ $host }}{{ else }}{{ $host }}:6379{{ end }}
{{- else }}
{{- fail "redis.external.address (sentinels, cluster): KEDA needs HOST:PORT of the external Redis, since it is not in the values" }}
{{- end }}
{{- end }}

{{- /* The fence of what may be read: never all of the file system, as it would be without --root. */ -}}
{{- define "capfleet.roots" -}}
{{- $roots := list }}
{{- range .root.Values.captures.claims }}{{- $roots = append $roots .mountPath }}{{- end }}
{{- if eq .component "replayer" }}
{{- range .root.Values.captures.sensorFolders }}{{- $roots = append $roots .mountPath }}{{- end }}
{{- end }}
{{- range .root.Values.captures.s3Prefixes }}{{- $roots = append $roots . }}{{- end }}
{{- if not $roots }}{{- $roots = list "/captures" }}{{- end }}
{{- join " " ($roots | uniq) }}
{{- end }}

{{- /* A duration (1m30s) in seconds, rounded up. */ -}}
{{- define "capfleet.seconds" -}}
{{- $factors := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 }}
{{- $ms := 0 }}
{{- range regexFindAll "[0-9]+(ms|s|m|h|d)" . -1 }}
{{- $ms = add $ms (mul (regexFind "^[0-9]+" .) (index $factors (regexFind "[a-z]+$" .))) }}
{{- end }}
{{- div (add $ms 999) 1000 }}
{{- end }}

{{- /* Authorities that are trusted beside the usual ones: that of the internal Redis, and yours. */ -}}
{{- define "capfleet.caFiles" -}}
{{- $files := list }}
{{- if and .Values.redis.internal .Values.redis.tls.enabled }}{{ $files = append $files "/etc/capfleet/ca/redis.crt" }}{{ end }}
{{- if .Values.caConfigMap }}{{ $files = append $files "/etc/capfleet/ca/ca.crt" }}{{ end }}
{{- join "," $files }}
{{- end }}

{{- /* What Kubernetes would take of a variable that is there twice depends on how it is applied. */ -}}
{{- define "capfleet.commonEnv" -}}
{{- $text := include "capfleet.sharedEnv" . }}
{{- $names := .own }}
{{- range fromYamlArray $text }}{{ $names = append $names .name }}{{ end }}
{{- $twice := list }}
{{- $extra := (index .root.Values .component).extraEnv }}
{{- range $extra }}
{{- if has .name $names }}{{ $twice = append $twice .name }}{{ end }}
{{- $names = append $names .name }}
{{- end }}
{{- with $twice }}{{ fail (printf "%s.extraEnv: set already, most by a value of the chart: %s" $.component (join ", " .)) }}{{ end }}
{{- $text }}
{{- with $extra }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "capfleet.sharedEnv" -}}
{{- $values := .root.Values -}}
- name: CAPFLEET_REDIS
{{- if include "capfleet.redisUrlIsSecret" .root }}
  valueFrom:
    secretKeyRef:
      name: {{ include "capfleet.redisSecret" .root | quote }}
      key: {{ include "capfleet.redisKey" (dict "root" .root "key" "redis-url" "user" .component) }}
{{- else }}
  {{- $url := required "redis.external.url or redis.existingSecret: where Redis is, since redis.internal is false" $values.redis.external.url }}
  {{- if and $values.redis.tls.clientSecret (not (hasPrefix "rediss" $url)) }}{{ fail "redis.tls.clientSecret: but redis.external.url says redis://, which is without TLS" }}{{ end }}
  {{- if $values.redis.tls.clientSecret }}{{ $url = printf "%s?cert=/etc/capfleet/redis/tls.crt&key=/etc/capfleet/redis/tls.key" $url }}{{ end }}
  value: {{ $url | quote }}
{{- end }}
{{- with include "capfleet.caFiles" .root }}
- name: CAPFLEET_CA_FILE
  value: {{ . | quote }}
{{- end }}
- name: CAPFLEET_ROOT
  value: {{ include "capfleet.roots" . | quote }}
- name: CAPFLEET_LOG_LEVEL
  value: {{ $values.logLevel | quote }}
{{- with $values.s3.endpoint }}
- name: CAPFLEET_S3_ENDPOINT
  value: {{ . | quote }}
{{- end }}
{{- with $values.s3.region }}
- name: CAPFLEET_S3_REGION
  value: {{ . | quote }}
{{- end }}
{{- if $values.s3.pathStyle }}
- name: CAPFLEET_S3_PATH_STYLE
  value: 'true'
{{- end }}
- name: CAPFLEET_S3_PART_SIZE
  value: {{ $values.s3.partSize | quote }}
- name: CAPFLEET_S3_PARALLEL
  value: {{ $values.s3.parallel | quote }}
{{- with $values.s3.existingSecret }}
{{- $secret := . }}
{{- range list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" }}
- name: {{ . | quote }}
  valueFrom:
    secretKeyRef:
      name: {{ $secret | quote }}
      key: {{ . }}
{{- end }}
- name: AWS_SESSION_TOKEN
  valueFrom:
    secretKeyRef:
      name: {{ $secret | quote }}
      key: AWS_SESSION_TOKEN
      optional: true
{{- end }}
{{- end }}

{{- define "capfleet.volumeMounts" -}}
- name: tmp
  mountPath: /tmp
{{- if include "capfleet.caFiles" .root }}
- name: ca
  mountPath: /etc/capfleet/ca
  readOnly: true
{{- end }}
{{- if .root.Values.redis.tls.clientSecret }}
- name: redis-client
  mountPath: /etc/capfleet/redis
  readOnly: true
{{- end }}
{{- range $index, $claim := .root.Values.captures.claims }}
- name: captures-{{ $index }}
  mountPath: {{ $claim.mountPath | quote }}
  readOnly: true
{{- with $claim.subPath }}
  subPath: {{ . | quote }}
{{- end }}
{{- end }}
{{- if eq .component "replayer" }}
{{- range $index, $folder := .root.Values.captures.sensorFolders }}
- name: folder-{{ $index }}
  mountPath: {{ $folder.mountPath | quote }}
  readOnly: true
{{- end }}
{{- end }}
{{- with (index .root.Values .component).extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "capfleet.volumes" -}}
- name: tmp
  emptyDir: {}
{{- if include "capfleet.caFiles" .root }}
- name: ca
  projected:
    sources:
      {{- if and .root.Values.redis.internal .root.Values.redis.tls.enabled }}
      - secret:
          name: {{ required "redis.tls.existingSecret: the certificate of the internal Redis" .root.Values.redis.tls.existingSecret | quote }}
          items: [{ key: ca.crt, path: redis.crt }]
      {{- end }}
      {{- with .root.Values.caConfigMap }}
      - configMap:
          name: {{ . | quote }}
          items: [{ key: ca.crt, path: ca.crt }]
      {{- end }}
{{- end }}
{{- with .root.Values.redis.tls.clientSecret }}
- name: redis-client
  secret:
    secretName: {{ . | quote }}
    defaultMode: 288 # 0440
    items: [{ key: tls.crt, path: tls.crt }, { key: tls.key, path: tls.key }]
{{- end }}
{{- range $index, $claim := .root.Values.captures.claims }}
- name: captures-{{ $index }}
  persistentVolumeClaim:
    claimName: {{ $claim.claim | quote }}
    readOnly: true
{{- end }}
{{- if eq .component "replayer" }}
{{- range $index, $folder := .root.Values.captures.sensorFolders }}
- name: folder-{{ $index }}
  hostPath:
    path: {{ $folder.path | quote }}
    type: Directory
{{- end }}
{{- end }}
{{- with (index .root.Values .component).extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* Where and how a pod runs; the same of all services. */ -}}
{{- define "capfleet.placement" -}}
{{- $own := index .root.Values .component -}}
{{- with $own.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with $own.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* Pod Security Standard "restricted". */ -}}
{{- define "capfleet.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
{{- with .Values.captures.groups }}
supplementalGroups:
  {{- toYaml . | nindent 2 }}
{{- end }}
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "capfleet.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- /* Alive: the process answers. Ready: it can do its work. A service whose Redis is away is not ready, and not killed. */ -}}
{{- define "capfleet.probes" -}}
startupProbe:
  httpGet: { path: /livez, port: {{ . }} }
  periodSeconds: 2
  failureThreshold: 30
livenessProbe:
  httpGet: { path: /livez, port: {{ . }} }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /readyz, port: {{ . }} }
  periodSeconds: 5
  timeoutSeconds: 3
{{- end }}
