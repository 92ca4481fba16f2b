{{- /* (root, component): the metadata of a pod. */ -}}
{{- define "sidegate.podMetadata" -}}
{{- $pods := (first .).Values.pods -}}
labels:
  {{- merge (include "sidegate.labels" . | fromYaml) $pods.labels | toYaml | nindent 2 }}
{{- with $pods.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* (root, component): where a pod runs, and that its likes run elsewhere. */ -}}
{{- define "sidegate.placement" -}}
{{- $values := (first .).Values -}}
{{- with $values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.pods.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.pods.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.pods.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
topologySpreadConstraints:
  {{- $root := first . }}
  {{- $component := last . }}
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "sidegate.selector" (list $root $component) | nindent 8 }}
  {{- end }}
{{- end -}}

{{- define "sidegate.podSecurity" -}}
{{- with .Values.user -}}
runAsUser: {{ . | int64 }}
runAsGroup: {{ . | int64 }}
fsGroup: {{ . | int64 }}
{{ end -}}
runAsNonRoot: true
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "sidegate.security" -}}
readOnlyRootFilesystem: true
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
{{- end -}}

{{- /* Environment of Sidegate's containers: who they are, and where traces go. */ -}}
{{- define "sidegate.env" -}}
- name: SIDEGATE_NODE
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- with .Values.telemetry.endpoint }}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ . | quote }}}
{{- end }}
{{- end -}}

{{- /* The two HTTP probes of Sidegate's containers. */ -}}
{{- define "sidegate.probes" -}}
startupProbe:
  httpGet: {path: /ready, port: {{ . }}}
  periodSeconds: 1
  failureThreshold: 120
readinessProbe:
  httpGet: {path: /ready, port: {{ . }}}
  periodSeconds: 5
  timeoutSeconds: 3
{{- end -}}

{{- define "sidegate.live" -}}
livenessProbe:
  httpGet: {path: /live, port: {{ . }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end -}}

{{- /* Who a client of the control plane is, as flags. */ -}}
{{- define "sidegate.client" -}}
- --xds={{ include "sidegate.xds" . }}
- --xds-ca=/etc/sidegate/tls/ca.crt
- --xds-cert=/etc/sidegate/tls/tls.crt
- --xds-key=/etc/sidegate/tls/tls.key
{{- end -}}

{{- define "sidegate.tlsVolume" -}}
- name: tls
  secret: {secretName: {{ . | quote }}, defaultMode: 0440}
{{- end -}}

{{- /* The gateway's own folder. */ -}}
{{- define "sidegate.sourcesVolume" -}}
{{- $own := include "sidegate.files" . | fromJson -}}
- name: sources
  projected:
    defaultMode: 0444
    sources:
      - configMap:
          name: {{ include "sidegate.name" . }}-sources
          items:
            {{- range $path, $file := $own }}
            - {key: {{ $file.key | quote }}, path: {{ $path | quote }}}
            {{- end }}
      {{- range .Values.sources.secrets }}
      - secret: {{ toJson . }}
      {{- end }}
{{- end -}}
