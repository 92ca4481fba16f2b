{{- /*
A workload of the team's chart, and the name of the template it is written in -> the workload with the sidecar in its pod,
the ConfigMap of its sources, and the pod of `helm test`.

    {{ include "sidegate-sidecar.workload" (list . "catalog.deployment") }}
*/ -}}
{{- define "sidegate-sidecar.workload" -}}
{{- $root := first . -}}
{{- $workload := fromYaml (include (index . 1) $root) -}}
{{- if hasKey $workload "Error" -}}
{{- fail (printf "sidegate-sidecar: the template %s is no YAML object: %s" (index . 1) $workload.Error) -}}
{{- end -}}
{{- $about := include "sidegate-sidecar.about" (list $root $workload) | fromYaml -}}
{{- $files := include "sidegate-sidecar.files" (list $root $about) | fromJson -}}
{{- $about = set $about "files" $files -}}
{{- $_ := include "sidegate-sidecar.check" $about -}}
{{- $_ = include "sidegate-sidecar.pod" (list (include "sidegate-sidecar.template" $workload) $workload $about) -}}
{{ toYaml $workload }}
{{- if $files }}
---
{{ include "sidegate-sidecar.sources" (list $root $about) }}
{{- end }}
{{- if $about.values.test.enabled }}
---
{{ include "sidegate-sidecar.test" $about }}
{{- end }}
{{- end -}}

{{- /* Where in a workload its pod is: a path of keys, joined by dots. */ -}}
{{- define "sidegate-sidecar.template" -}}
{{- if has .kind (list "Deployment" "StatefulSet" "DaemonSet" "ReplicaSet" "Job") -}}
spec.template
{{- else if eq .kind "CronJob" -}}
spec.jobTemplate.spec.template
{{- else if ne .kind "Pod" -}}
{{- fail (printf "sidegate-sidecar: a %s has no pod" .kind) -}}
{{- end -}}
{{- end -}}

{{- /* The sidecar into the pod of the workload, in place. */ -}}
{{- define "sidegate-sidecar.pod" -}}
{{- $pod := index . 1 -}}
{{- $about := index . 2 -}}
{{- range (first . | splitList "." | compact) -}}
{{- $pod = index $pod . -}}
{{- end -}}
{{- $values := $about.values -}}
{{- $metadata := get $pod "metadata" | default dict -}}
{{- $labels := get $metadata "labels" | default dict -}}
{{- $annotations := get $metadata "annotations" | default dict -}}
{{- $spec := get $pod "spec" -}}
{{- $_ := include "sidegate-sidecar.refuse" (list $spec $about) -}}
{{- $_ = set $about "placement" (pick $spec "imagePullSecrets" "nodeSelector" "tolerations") -}}
{{- $_ = set $labels "sidegate.io/service" $about.service -}}
{{- $_ = set $annotations "sidegate.io/injected" $about.version -}}
{{- if not (hasKey $annotations "kubectl.kubernetes.io/default-container") -}}
{{- $_ = set $annotations "kubectl.kubernetes.io/default-container" (first $spec.containers).name -}}
{{- end -}}
{{- $_ = set $metadata "labels" $labels -}}
{{- $_ = set $metadata "annotations" $annotations -}}
{{- $_ = set $pod "metadata" $metadata -}}
{{- $given := dict -}}
{{- range $key, $value := dict "automountServiceAccountToken" $values.automountServiceAccountToken "terminationGracePeriodSeconds" (add $values.drainSeconds 45) -}}
{{- if not (hasKey $spec $key) -}}
{{- $_ = set $spec $key $value -}}
{{- $_ = set $given $key $value -}}
{{- end -}}
{{- end -}}
{{- $probes := list -}}
{{- $before := dict -}}
{{- if $values.app.rewriteProbes -}}
{{- range $spec.containers -}}
{{- $_ = include "sidegate-sidecar.refuseProbes" (list . $about) -}}
{{- $rewritten := include "sidegate-sidecar.rewriteProbes" (list . $about) | fromJson -}}
{{- $probes = concat $probes $rewritten.asked -}}
{{- $before = merge $before $rewritten.before -}}
{{- end -}}
{{- end -}}
{{- $about = set $about "probes" ($probes | uniq) -}}
{{- /* What `sidegate inject` takes back when it is run on this pod. */ -}}
{{- $_ = set $annotations "sidegate.io/replaced" (dict "given" $given "probes" $before | toRawJson) -}}
{{- $initial := get $spec "initContainers" | default list -}}
{{- $sidecars := include "sidegate-sidecar.containers" $about | fromYamlArray -}}
{{- if eq $values.traffic "redirect" -}}
{{- $initial = append $initial (include "sidegate-sidecar.redirect" $about | fromYaml) -}}
{{- end -}}
{{- if eq $values.containers "native" -}}
{{- range $sidecars -}}
{{- $initial = append $initial (set . "restartPolicy" "Always") -}}
{{- end -}}
{{- else -}}
{{- $_ = set $spec "containers" (concat $spec.containers $sidecars) -}}
{{- end -}}
{{- if $initial -}}
{{- $_ = set $spec "initContainers" $initial -}}
{{- else -}}
{{- $_ = unset $spec "initContainers" -}}
{{- end -}}
{{- $volumes := include "sidegate-sidecar.volumes" $about | fromYamlArray -}}
{{- $_ = set $spec "volumes" (concat (get $spec "volumes" | default list) $volumes) -}}
{{- end -}}
