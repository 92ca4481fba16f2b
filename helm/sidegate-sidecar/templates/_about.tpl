{{- /*
What the other templates need to know of a release: the values with their defaults, the service's and the workload's name,
the image.
*/ -}}
{{- define "sidegate-sidecar.about" -}}
{{- $root := first . -}}
{{- $workload := index . 1 -}}
{{- $key := ternary "sidegate-sidecar" "sidegate" (hasKey $root.Subcharts "sidegate-sidecar") -}}
{{- if not (hasKey $root.Subcharts $key) -}}
{{- fail "sidegate-sidecar: the alias of the dependency in Chart.yaml is `sidegate`, or there is none" -}}
{{- end -}}
{{- $values := index $root.Values $key -}}
{{- $version := (index $root.Subcharts $key).Chart.AppVersion -}}
{{- $tag := printf ":%s" ($values.image.tag | default $version) -}}
{{- if $values.image.digest -}}
{{- $tag = printf "%s@%s" (ternary $tag "" (ne $values.image.tag "")) $values.image.digest -}}
{{- end -}}
values: {{ toJson $values }}
version: {{ $version | quote }}
service: {{ $values.service | default $root.Chart.Name | quote }}
workload: {{ $workload.metadata.name | quote }}
namespace: {{ get $workload.metadata "namespace" | quote }}
labels: {{ get $workload.metadata "labels" | default dict | toJson }}
kind: {{ $workload.kind | quote }}
kubernetes: {{ $root.Capabilities.KubeVersion.Version | quote }}
image: {{ printf "%s%s" $values.image.repository $tag | quote }}
{{- end -}}

{{- /* What the schema cannot say of the values. */ -}}
{{- define "sidegate-sidecar.check" -}}
{{- $values := .values -}}
{{- if eq ($values.app.port | int) ($values.port | int) -}}
{{- fail (printf "sidegate-sidecar: app.port and port are both %d; the app listens on a port of its own, on 127.0.0.1" ($values.port | int)) -}}
{{- end -}}
{{- if not (regexMatch "^[a-z][a-z0-9-]{0,62}$" .service) -}}
{{- fail (printf "sidegate-sidecar: %s is no name of a service (a letter, then a-z, 0-9 and -); set service" (.service | quote)) -}}
{{- end -}}
{{- range $values.env -}}
{{- if eq .name "SIDEGATE_NODE" -}}
{{- fail "sidegate-sidecar: env: SIDEGATE_NODE is the sidecar's own" -}}
{{- end -}}
{{- end -}}
{{- if $values.test.enabled -}}
{{- $allowed := 0 -}}
{{- range $values.test.requests -}}
{{- $allowed = add $allowed (ternary 1 0 (lt (regexFind "[0-9]+$" . | int) 400)) -}}
{{- end -}}
{{- if or (lt ($allowed | int) 1) (ge ($allowed | int) (len $values.test.requests)) -}}
{{- fail "sidegate-sidecar: test.requests are an allowed (below 400) and a refused request at the least, as `GET /shop/v1/items 200`; or say test.enabled: false" -}}
{{- end -}}
{{- end -}}
{{- $own := list ($values.ports.management | int) ($values.ports.ready | int) -}}
{{- if or (has ($values.port | int) $own) (has ($values.app.port | int) $own) (eq (first $own) (last $own)) -}}
{{- fail "sidegate-sidecar: port, app.port, ports.management and ports.ready have to differ" -}}
{{- end -}}
{{- if not (or (eq $values.control "central") .files $values.sources.configMaps $values.sources.image) -}}
{{- fail (printf "sidegate-sidecar: no sources: there is nothing in the chart's folder %s, and neither sources.configMaps nor sources.image is set" ($values.sources.folder | quote)) -}}
{{- end -}}
{{- if and (eq $values.control "central") (not $values.central.secret) -}}
{{- fail "sidegate-sidecar: control: central needs central.secret, by which the shared control plane knows the pod" -}}
{{- end -}}
{{- if and (eq $values.containers "native") (semverCompare "<1.29.0-0" .kubernetes) -}}
{{- fail (printf "sidegate-sidecar: Kubernetes %s has no native sidecars (1.29 and newer); say containers: classic" .kubernetes) -}}
{{- end -}}
{{- if and (eq $values.control "pod") $values.sources.image (semverCompare "<1.31.0-0" .kubernetes) -}}
{{- fail (printf "sidegate-sidecar: Kubernetes %s has no image volumes (1.33 and newer, 1.31 if switched on)" .kubernetes) -}}
{{- end -}}
{{- if and (eq $values.control "pod") $values.sources.image (or .files $values.sources.configMaps $values.sources.secrets) -}}
{{- fail "sidegate-sidecar: sources.image holds all sources, and nothing is laid beside it: say sources.folder: \"\", and neither sources.configMaps nor sources.secrets" -}}
{{- end -}}
{{- if and (eq $values.containers "classic") (has .kind (list "Job" "CronJob")) -}}
{{- fail (printf "sidegate-sidecar: a %s with containers: classic would never end; native sidecars let it" .kind) -}}
{{- end -}}
{{- end -}}

{{- /* What a pod may not have already. */ -}}
{{- define "sidegate-sidecar.refuse" -}}
{{- $spec := first . -}}
{{- $values := (index . 1).values -}}
{{- if get $spec "hostNetwork" -}}
{{- fail "sidegate-sidecar: a pod with hostNetwork has no ports of its own; the sidecar's would be the node's" -}}
{{- end -}}
{{- $needed := add $values.drainSeconds 20 -}}
{{- range $spec.containers -}}
{{- $hook := get (get . "lifecycle" | default dict) "preStop" | default dict -}}
{{- $needed = max $needed (add $values.drainSeconds 20 (get (get $hook "sleep" | default dict) "seconds" | default 0)) -}}
{{- end -}}
{{- $grace := $needed -}}
{{- if hasKey $spec "terminationGracePeriodSeconds" -}}
{{- $grace = ternary $needed $spec.terminationGracePeriodSeconds (kindIs "invalid" $spec.terminationGracePeriodSeconds) -}}
{{- end -}}
{{- if lt ($grace | int) ($needed | int) -}}
{{- fail (printf "sidegate-sidecar: terminationGracePeriodSeconds is %d, and the app's preStop, drainSeconds (%d) and 20 seconds for requests under way take %d" ($spec.terminationGracePeriodSeconds | int) ($values.drainSeconds | int) ($needed | int)) -}}
{{- end -}}
{{- $own := list ($values.port | int) ($values.ports.management | int) ($values.ports.ready | int) -}}
{{- range concat (get $spec "initContainers" | default list) $spec.containers -}}
{{- if has .name (list "sidegate" "sidegate-envoy" "sidegate-redirect") -}}
{{- fail (printf "sidegate-sidecar: the pod has a container %s already" .name) -}}
{{- end -}}
{{- $name := .name -}}
{{- range get . "ports" | default list -}}
{{- if has (.containerPort | int) $own -}}
{{- fail (printf "sidegate-sidecar: port %d is the sidecar's, and the container %s has it" (.containerPort | int) $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range get $spec "volumes" | default list -}}
{{- if has .name (list "sidegate-sources" "sidegate-image" "sidegate-tls" "sidegate-run" "sidegate-state" "sidegate-cache") -}}
{{- fail (printf "sidegate-sidecar: the pod has a volume %s already" .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
