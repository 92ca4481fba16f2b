{{- define "sidegate-sidecar.volumes" -}}
{{- $values := .values -}}
{{- if or .files $values.sources.configMaps }}
- name: sidegate-sources
  projected:
    defaultMode: 0444
    sources:
      {{- if .files }}
      - configMap:
          name: {{ include "sidegate-sidecar.sourcesName" . }}
          items:
            {{- range $path, $file := .files }}
            - {key: {{ $file.key | quote }}, path: {{ $path | quote }}}
            {{- end }}
      {{- end }}
      {{- range $values.sources.configMaps }}
      - configMap: {name: {{ . }}}
      {{- end }}
{{- end }}
{{- if $values.sources.image }}
- name: sidegate-image
  image: {reference: {{ $values.sources.image | quote }}, pullPolicy: {{ $values.image.pullPolicy }}}
{{- end }}
{{- if and (eq $values.control "central") $values.central.secret }}
- name: sidegate-tls
  secret: {secretName: {{ $values.central.secret | quote }}, defaultMode: 0444}
{{- end }}
- name: sidegate-run
  emptyDir: {medium: Memory, sizeLimit: 16Mi}
- name: sidegate-state
  emptyDir: {sizeLimit: 512Mi}
{{- end -}}

{{- /* Where the sources are mounted, as one argument. */ -}}
{{- define "sidegate-sidecar.folders" -}}
{{- $folders := list -}}
{{- if or .files .values.sources.configMaps -}}
{{- $folders = append $folders "/etc/sidegate/sources" -}}
{{- end -}}
{{- if .values.sources.image -}}
{{- $folders = append $folders "/etc/sidegate/image" -}}
{{- end -}}
{{- join ":" $folders -}}
{{- end -}}
