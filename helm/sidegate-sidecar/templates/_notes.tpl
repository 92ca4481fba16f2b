{{- /* For the team's NOTES.txt: {{ include "sidegate-sidecar.notes" . }} */ -}}
{{- define "sidegate-sidecar.notes" -}}
{{- $key := ternary "sidegate-sidecar" "sidegate" (hasKey .Subcharts "sidegate-sidecar") -}}
{{- $values := index .Values $key -}}
{{- $service := $values.service | default .Chart.Name -}}
Sidegate stands before {{ $service }}: clients come to port {{ $values.port }} of the pod, and what the contract and the policies allow
goes on to 127.0.0.1:{{ $values.app.port }}.

  - The Service's targetPort is {{ $values.port }} (the number; older clusters look up no port names of native sidecars).
{{- if eq $values.traffic "port" }}
  - The app listens on 127.0.0.1:{{ $values.app.port }} and nowhere else, or clients get past Sidegate.
{{- end }}
{{- if eq $values.containers "native" }}
  - Give the app's container `lifecycle: {preStop: {sleep: {seconds: 5}}}`: a pod that ends gets requests until every node
    knows of it, and Sidegate stops after the app.
{{- else }}
  - Give the app's container `lifecycle: {preStop: {sleep: {seconds: {{ add $values.drainSeconds 5 }}}}}`: with classic containers all are
    told to stop at once, and Envoy still finishes requests for {{ $values.drainSeconds }} seconds.
{{- end }}
{{- if $values.test.enabled }}

Try it:       helm test {{ .Release.Name }} --namespace {{ .Release.Namespace }} --logs
{{- end }}
What it says: kubectl logs --namespace {{ .Release.Namespace }} --selector sidegate.io/service={{ $service }} --container sidegate
{{- end -}}
