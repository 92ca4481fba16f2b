{{- /*
The pod of `helm test`: requests to the service from beside it, and the status that each has to have. It runs where the
workload's pods may, and its image is pulled with their Secrets.
*/ -}}
{{- define "sidegate-sidecar.test" -}}
{{- $values := .values -}}
apiVersion: v1
kind: Pod
metadata:
  name: {{ printf "%s-sidegate-test" .workload }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  annotations:
    helm.sh/hook: test
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  {{- with .placement }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  containers:
    - name: try
      image: {{ .image | quote }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      command: [sidegate, try]
      args:
        - {{ $values.test.url | default (printf "http://%s" .workload) | quote }}
        {{- range $values.test.requests }}
        - {{ . | quote }}
        {{- end }}
        {{- range $values.test.headers }}
        - {{ printf "--header=%s" . | quote }}
        {{- end }}
      {{- with $values.test.env }}
      env:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      resources:
        requests: {cpu: 50m, memory: 64Mi}
        limits: {cpu: 500m, memory: 128Mi}
      securityContext:
        {{- include "sidegate-sidecar.security" . | nindent 8 }}
{{- end -}}
