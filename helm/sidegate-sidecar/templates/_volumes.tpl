{{- define "sidegate-sidecar.volumes" -}}
{{- $values := .values -}}
{{- if include "sidegate-sidecar.projected" . }}
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
      - configMap: {name: {{ . | quote }}}
      {{- end }}
      {{- range $values.sources.secrets }}
      - secret: {{ toJson . }}
      {{- end }}
{{- end }}
{{- if and (eq $values.control "pod") $values.sources.image }}
- name: sidegate-image
  image: {reference: {{ $values.sources.image | quote }}, pullPolicy: {{ $values.image.pullPolicy }}}
{{- end }}
{{- if eq $values.control "central" }}
- name: sidegate-tls
  secret: {secretName: {{ $values.central.secret | quote }}, defaultMode: 0444}
{{- end }}
- name: sidegate-run
  emptyDir: {medium: Memory, sizeLimit: 16Mi}
- name: sidegate-state
  emptyDir: {sizeLimit: 512Mi}
- name: sidegate-cache
  emptyDir: {sizeLimit: {{ $values.cacheSize }}}
{{- end -}}

{{- /* Whether there is a volume of ConfigMaps and Secrets. */ -}}
{{- define "sidegate-sidecar.projected" -}}
{{- if and (eq .values.control "pod") (or .files .values.sources.configMaps .values.sources.secrets) -}}
true
{{- end -}}
{{- end -}}

{{- /* Where the sources are mounted. */ -}}
{{- define "sidegate-sidecar.folder" -}}
{{- ternary "/etc/sidegate/image" "/etc/sidegate/sources" (ne .values.sources.image "") -}}
{{- end -}}
