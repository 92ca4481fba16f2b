{{- define "sidegate.name" -}}
{{- if .Values.fullname -}}
{{- .Values.fullname -}}
{{- else if contains "sidegate" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-sidegate" (.Release.Name | trunc 31 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{- /* (root, component): what objects are selected by. */ -}}
{{- define "sidegate.selector" -}}
app.kubernetes.io/name: sidegate
app.kubernetes.io/instance: {{ (first .).Release.Name }}
app.kubernetes.io/component: {{ last . }}
{{- end -}}

{{- define "sidegate.labels" -}}
{{ include "sidegate.selector" . }}
app.kubernetes.io/part-of: sidegate
app.kubernetes.io/version: {{ (first .).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (first .).Release.Service }}
helm.sh/chart: {{ printf "%s-%s" (first .).Chart.Name (first .).Chart.Version }}
{{- end -}}

{{- /* (image, the version to use where it has none) -> a reference. */ -}}
{{- define "sidegate.image" -}}
{{- $image := first . -}}
{{- if $image.digest -}}
{{- printf "%s%s@%s" $image.repository (ternary (printf ":%s" $image.tag) "" (ne $image.tag "")) $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository ($image.tag | default (last .)) -}}
{{- end -}}
{{- end -}}

{{- /* Where proxies find the control plane: headless, so that companions tell every replica what they hold. */ -}}
{{- define "sidegate.xds" -}}
{{- printf "%s-xds.%s.svc:9902" (include "sidegate.name" .) .Release.Namespace -}}
{{- end -}}
