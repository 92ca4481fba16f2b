{{- /* (root, components): sidecars of any namespace (who they are is for mTLS to say), and pods of this chart. */ -}}
{{- define "sidegate.peers" -}}
- namespaceSelector: {}
  podSelector:
    matchExpressions: [{key: sidegate.io/service, operator: Exists}]
- podSelector:
    matchExpressions:
      - {key: app.kubernetes.io/component, operator: In, values: {{ last . | toJson }}}
      - {key: app.kubernetes.io/instance, operator: In, values: [{{ (first .).Release.Name }}]}
{{- end -}}
