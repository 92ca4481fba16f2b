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
{{- $size := 0 -}}
{{- range $path, $file := include "sidegate.files" . | fromYaml -}}
{{- $size = add $size (len $file.key) (len $file.text) -}}
{{- if regexMatch "[\\x7f-\\x9f\\x{feff}\\x{fffd}-\\x{ffff}]" $file.text -}}
{{- fail (printf "sidegate: sources.files: %s is no plain text; let a pack hold it (`sidegate pack`)" $path) -}}
{{- end -}}
{{- end -}}
{{- if gt ($size | int) 1048576 -}}
{{- fail (printf "sidegate: sources.settings and sources.files are %d bytes, and a ConfigMap holds 1048576" $size) -}}
{{- end -}}
{{- end -}}
