{{- /* The sidecar's containers, in the order in which they start. */ -}}
{{- define "sidegate-sidecar.containers" -}}
- {{ include "sidegate-sidecar.sidegate" . | fromYaml | toJson }}
- {{ include "sidegate-sidecar.envoy" . | fromYaml | toJson }}
{{- end -}}

{{- /* Control plane and companion, or the companion alone where the control plane is shared. */ -}}
{{- define "sidegate-sidecar.sidegate" -}}
{{- $values := .values -}}
name: sidegate
image: {{ .image | quote }}
imagePullPolicy: {{ $values.image.pullPolicy }}
{{- if eq $values.control "pod" }}
command: [sidegate, sidecar]
{{- else }}
command: [sidegate, companion]
{{- end }}
args:
  {{- if eq $values.control "pod" }}
  - {{ include "sidegate-sidecar.folder" . }}
  - --listen=0.0.0.0:{{ $values.port }}
  - --upstream=http://127.0.0.1:{{ $values.app.port }}
  {{- with $values.environment }}
  - --env={{ . }}
  {{- end }}
  {{- else }}
  - --listen=unix:/var/run/sidegate/companion.sock
  {{- end }}
  {{- include "sidegate-sidecar.node" . | nindent 2 }}
  - --state=/var/lib/sidegate
  - --management=0.0.0.0:{{ $values.ports.management }}
  {{- range .probes }}
  - --probe={{ . }}
  {{- end }}
env:
  {{- include "sidegate-sidecar.env" . | nindent 2 }}
ports:
  - {containerPort: {{ $values.ports.management }}, name: management, protocol: TCP}
startupProbe:
  httpGet: {path: /ready, port: {{ $values.ports.management }}}
  periodSeconds: 1
  failureThreshold: 120
readinessProbe:
  httpGet: {path: /ready, port: {{ $values.ports.management }}}
  periodSeconds: 5
  timeoutSeconds: 3
livenessProbe:
  httpGet: {path: /live, port: {{ $values.ports.management }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
resources:
  {{- toYaml $values.resources.sidegate | nindent 2 }}
securityContext:
  {{- include "sidegate-sidecar.security" . | nindent 2 }}
volumeMounts:
  {{- if include "sidegate-sidecar.projected" . }}
  - {name: sidegate-sources, mountPath: /etc/sidegate/sources, readOnly: true}
  {{- end }}
  {{- if and (eq $values.control "pod") $values.sources.image }}
  - {name: sidegate-image, mountPath: /etc/sidegate/image, readOnly: true}
  {{- end }}
  {{- with include "sidegate-sidecar.tls" . }}
  {{- . | nindent 2 }}
  {{- end }}
  - {name: sidegate-run, mountPath: /var/run/sidegate}
  - {name: sidegate-state, mountPath: /var/lib/sidegate}
  - {name: sidegate-state, mountPath: /tmp, subPath: tmp}
{{- end -}}

{{- define "sidegate-sidecar.envoy" -}}
{{- $values := .values -}}
name: sidegate-envoy
image: {{ .image | quote }}
imagePullPolicy: {{ $values.image.pullPolicy }}
command: [sidegate, envoy]
args:
  {{- include "sidegate-sidecar.node" . | nindent 2 }}
  {{- if eq $values.control "central" }}
  - --listen=0.0.0.0:{{ $values.port }}
  - --upstream=http://127.0.0.1:{{ $values.app.port }}
  {{- end }}
  - --admin=/var/run/sidegate/admin.sock
  - --ready=0.0.0.0:{{ $values.ports.ready }}
  - --drain={{ $values.drainSeconds }}
env:
  {{- include "sidegate-sidecar.env" . | nindent 2 }}
ports:
  - {containerPort: {{ $values.port }}, name: http, protocol: TCP}
  - {containerPort: {{ $values.ports.ready }}, name: ready, protocol: TCP}
startupProbe:
  httpGet: {path: /ready, port: {{ $values.ports.ready }}}
  periodSeconds: 1
  failureThreshold: 120
readinessProbe:
  httpGet: {path: /ready, port: {{ $values.ports.ready }}}
  periodSeconds: 5
  timeoutSeconds: 3
lifecycle:
  preStop: {exec: {command: [sidegate, drain]}}
resources:
  {{- toYaml $values.resources.envoy | nindent 2 }}
securityContext:
  {{- include "sidegate-sidecar.security" . | nindent 2 }}
volumeMounts:
  {{- with include "sidegate-sidecar.tls" . }}
  {{- . | nindent 2 }}
  {{- end }}
  - {name: sidegate-run, mountPath: /var/run/sidegate}
  - {name: sidegate-cache, mountPath: /var/run/sidegate/cache}
{{- end -}}

{{- /* Who this is, and where its control plane listens. */ -}}
{{- define "sidegate-sidecar.node" -}}
- --service={{ .service }}
{{- if eq .values.control "pod" }}
- --xds=unix:/var/run/sidegate/xds.sock
{{- else }}
- --xds={{ .values.central.address }}
- --xds-ca=/etc/sidegate/tls/ca.crt
- --xds-cert=/etc/sidegate/tls/tls.crt
- --xds-key=/etc/sidegate/tls/tls.key
{{- end }}
{{- end -}}

{{- define "sidegate-sidecar.tls" -}}
{{- if eq .values.control "central" -}}
- {name: sidegate-tls, mountPath: /etc/sidegate/tls, readOnly: true}
{{- end -}}
{{- end -}}

{{- define "sidegate-sidecar.env" -}}
- name: SIDEGATE_NODE
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- with .values.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "sidegate-sidecar.security" -}}
{{- with .values.user -}}
runAsUser: {{ . | int64 }}
runAsGroup: {{ . | int64 }}
{{ end -}}
runAsNonRoot: true
readOnlyRootFilesystem: true
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- /* What comes for the app's port is sent to Envoy. Of the sidecar's containers only this one has a capability, and it ends. */ -}}
{{- define "sidegate-sidecar.redirect" -}}
name: sidegate-redirect
image: {{ .image | quote }}
imagePullPolicy: {{ .values.image.pullPolicy }}
command: [sidegate, redirect]
args: ["--from={{ .values.app.port }}", "--to={{ .values.port }}"]
resources:
  requests: {cpu: 10m, memory: 32Mi}
  limits: {cpu: 500m, memory: 128Mi}
securityContext:
  runAsUser: 0
  runAsGroup: 0
  runAsNonRoot: false
  readOnlyRootFilesystem: true
  allowPrivilegeEscalation: false
  capabilities: {drop: [ALL], add: [NET_ADMIN, NET_RAW]}
  seccompProfile: {type: RuntimeDefault}
volumeMounts:
  - {name: sidegate-run, mountPath: /run}
{{- end -}}

{{- /*
HTTP probes of an app's container to the sidecar's management port, in place. Gives what they `asked`, as `PORT/path`, and what
stood there `before`, by `CONTAINER/KIND`.
*/ -}}
{{- define "sidegate-sidecar.rewriteProbes" -}}
{{- $container := first . -}}
{{- $values := (index . 1).values -}}
{{- $asked := list -}}
{{- $before := dict -}}
{{- range $kind := list "startupProbe" "readinessProbe" "livenessProbe" -}}
{{- $probe := get $container $kind | default dict -}}
{{- $get := get $probe "httpGet" | default dict -}}
{{- if and $get (not (get $get "host")) (eq (get $get "scheme" | default "HTTP") "HTTP") -}}
{{- $port := include "sidegate-sidecar.portOf" (list $container $get) -}}
{{- if eq ($port | int) ($values.app.port | int) -}}
{{- $path := printf "%d/%s" ($port | int) (get $get "path" | default "/" | trimPrefix "/") -}}
{{- $asked = append $asked $path -}}
{{- $_ := set $before (printf "%s/%s" $container.name $kind) (pick $get "path" "port") -}}
{{- $_ = set $get "path" (printf "/probe/%s" $path) -}}
{{- $_ = set $get "port" ($values.ports.management | int) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{ dict "asked" $asked "before" $before | toJson }}
{{- end -}}

{{- /* (container, what asks): the number of a port that may be one of the container's names. */ -}}
{{- define "sidegate-sidecar.portOf" -}}
{{- $port := get (last .) "port" -}}
{{- range get (first .) "ports" | default list -}}
{{- if eq (get . "name" | toString) ($port | toString) -}}
{{- $port = .containerPort -}}
{{- end -}}
{{- end -}}
{{- $port | int -}}
{{- end -}}

{{- /*
Refuse what the kubelet asks of the app's port otherwise: on 127.0.0.1 nobody would hear it. A TCP probe of a redirected port
finds Envoy, the rest what no contract has.
*/ -}}
{{- define "sidegate-sidecar.refuseProbes" -}}
{{- $container := first . -}}
{{- $values := (index . 1).values -}}
{{- $hooks := get $container "lifecycle" | default dict -}}
{{- $hows := list "httpGet" "grpc" "tcpSocket" -}}
{{- if eq $values.traffic "redirect" -}}
{{- $hows = list "httpGet" "grpc" -}}
{{- end -}}
{{- range $kind := list "startupProbe" "readinessProbe" "livenessProbe" "postStart" "preStop" -}}
{{- range $how := $hows -}}
{{- $hook := has $kind (list "postStart" "preStop") -}}
{{- $get := get (get (ternary $hooks $container $hook) $kind | default dict) $how | default dict -}}
{{- $led := and (not $hook) (eq $how "httpGet") (eq (get $get "scheme" | default "HTTP") "HTTP") -}}
{{- if and $get (not (get $get "host")) (not $led) -}}
{{- if eq (include "sidegate-sidecar.portOf" (list $container $get) | int) ($values.app.port | int) -}}
{{- fail (printf "sidegate-sidecar: %s of the container %s is %s to app.port, where the kubelet is not heard; say httpGet by HTTP (a probe) or exec, or app.rewriteProbes: false if the app listens elsewhere too" $kind $container.name $how) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
