{{- /* The gateway's sidegate.yaml: what the values say, and where what this chart runs is found. */ -}}
{{- define "sidegate.settings" -}}
{{- $settings := deepCopy .Values.sources.settings -}}
{{- $name := include "sidegate.name" . -}}
{{- if and .Values.opa.enabled (not (hasKey $settings "opa")) -}}
{{- $_ := set $settings "opa" (dict "url" (printf "http://%s-opa.%s.svc:8181" $name .Release.Namespace)) -}}
{{- end -}}
{{- if and .Values.rateLimit.enabled (not (hasKey $settings "rateLimit")) -}}
{{- $service := printf "%s-ratelimit.%s.svc:8081" $name .Release.Namespace -}}
{{- $_ := set $settings "rateLimit" (dict "service" $service "onFailure" .Values.rateLimit.onFailure) -}}
{{- end -}}
{{ toYaml $settings }}
{{- end -}}

{{- /* The files of the gateway's own folder: path -> key and text. */ -}}
{{- define "sidegate.files" -}}
{{- $files := dict -}}
{{- $keys := dict -}}
{{- $all := merge (dict "sidegate.yaml" (include "sidegate.settings" . | trim | printf "%s\n")) .Values.sources.files -}}
{{- range $path, $text := $all -}}
{{- $key := replace "/" "_" $path -}}
{{- if hasKey $keys $key -}}
{{- fail (printf "sidegate: %s and %s would be one key of a ConfigMap, %s; rename one" (get $keys $key) $path $key) -}}
{{- end -}}
{{- $_ := set $keys $key $path -}}
{{- $_ = set $files $path (dict "key" $key "text" $text) -}}
{{- end -}}
{{ toJson $files }}
{{- end -}}
