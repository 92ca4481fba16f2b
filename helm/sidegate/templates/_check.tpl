{{- /* What the schema cannot say of the values. */ -}}
{{- define "sidegate.check" -}}
{{- $values := .Values -}}
{{- if hasKey $values.sources.files "sidegate.yaml" -}}
{{- fail "sidegate: sources.files has a sidegate.yaml; write it as sources.settings" -}}
{{- end -}}
{{- range $role, $needed := dict "xds" true "edge" $values.edge.enabled "rateLimit" $values.rateLimit.enabled -}}
{{- if and $needed (not (index $values $role).secret) -}}
{{- fail (printf "sidegate: %s.secret names no Secret; without certificates nobody knows whose node asks" $role) -}}
{{- end -}}
{{- end -}}
{{- if and $values.xds.certManager.enabled (not $values.xds.certManager.issuer.name) -}}
{{- fail "sidegate: xds.certManager.enabled needs xds.certManager.issuer.name" -}}
{{- end -}}
{{- if gt ($values.edge.replicas.min | int) ($values.edge.replicas.max | int) -}}
{{- fail "sidegate: edge.replicas.min is more than edge.replicas.max" -}}
{{- end -}}
{{- if and $values.edge.enabled (semverCompare "<1.29.0-0" .Capabilities.KubeVersion.Version) -}}
{{- fail (printf "sidegate: Kubernetes %s has no native sidecars (1.29 and newer), and the edge's companion is one" .Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- include "sidegate.checkBudget" (list "controlPlane" $values.controlPlane.replicas $values.controlPlane.minAvailable) -}}
{{- if $values.edge.enabled -}}
{{- include "sidegate.checkBudget" (list "edge" $values.edge.replicas.min $values.edge.minAvailable) -}}
{{- end -}}
{{- range $values.controlPlane.env -}}
{{- if has .name (list "SIDEGATE_NODE" "SIDEGATE_OWN_NAMESPACE" (ternary "OTEL_EXPORTER_OTLP_ENDPOINT" "" (ne $values.telemetry.endpoint ""))) -}}
{{- fail (printf "sidegate: controlPlane.env: %s is the chart's own" .name) -}}
{{- end -}}
{{- end -}}
{{- $allowed := 0 -}}
{{- range $values.test.requests -}}
{{- $allowed = add $allowed (ternary 1 0 (lt (regexFind "[0-9]+$" . | int) 400)) -}}
{{- end -}}
{{- if and $values.test.requests (or (lt ($allowed | int) 1) (ge ($allowed | int) (len $values.test.requests))) -}}
{{- fail "sidegate: test.requests are an allowed (below 400) and a refused request at the least, as `GET /shop/v1/items 200`" -}}
{{- end -}}
{{- $size := 0 -}}
{{- range $path, $file := include "sidegate.files" . | fromJson -}}
{{- $size = add $size (len $file.key) (len $file.text) -}}
{{- if regexMatch "[\\x7f-\\x9f\\x{feff}\\x{fffd}-\\x{ffff}]" $file.text -}}
{{- fail (printf "sidegate: sources.files: %s is no plain text; let a pack hold it (`sidegate pack`)" $path) -}}
{{- end -}}
{{- end -}}
{{- if gt ($size | int) 1048576 -}}
{{- fail (printf "sidegate: sources.settings and sources.files are %d bytes, and a ConfigMap holds 1048576" $size) -}}
{{- end -}}
{{- end -}}

{{- /* (part of the values, replicas, minAvailable): whether an eviction is ever allowed. A percentage is rounded up. */ -}}
{{- define "sidegate.checkBudget" -}}
{{- $replicas := index . 1 | int -}}
{{- $left := last . | toString -}}
{{- $pods := int $left -}}
{{- if hasSuffix "%" $left -}}
{{- $pods = divf (mulf (trimSuffix "%" $left | int) $replicas) 100 | ceil | int -}}
{{- end -}}
{{- if ge $pods $replicas -}}
{{- fail (printf "sidegate: %s.minAvailable (%s) of %d replicas lets no pod be evicted, and no node be drained; say less, or more replicas" (first .) $left $replicas) -}}
{{- end -}}
{{- end -}}
