{{- /*
The files of the chart's folder: path -> key in the ConfigMap, where no `/` may stand. Left out are dot files, what .helmignore
names, and what sources.secrets mounts in their place.
*/ -}}
{{- define "sidegate-sidecar.files" -}}
{{- $root := first . -}}
{{- $folder := (index . 1).values.sources.folder -}}
{{- $found := dict -}}
{{- $paths := dict -}}
{{- $secret := dict -}}
{{- $mounted := list -}}
{{- range (index . 1).values.sources.secrets -}}
{{- range .items -}}
{{- $mounted = append $mounted .path -}}
{{- end -}}
{{- end -}}
{{- $size := 0 -}}
{{- $packed := 0 -}}
{{- if $folder -}}
{{- range $name, $bytes := $root.Files.Glob (printf "%s/**" $folder) -}}
{{- $path := trimPrefix (printf "%s/" $folder) $name -}}
{{- if not (or (regexMatch "(^|/)[.]" $path) (has $path $mounted)) -}}
{{- $secret = merge $secret (include "sidegate-sidecar.secrets" (list $path (toString $bytes)) | fromJson) -}}
{{- $key := regexReplaceAll "[^-._A-Za-z0-9]" $path "_" -}}
{{- if hasKey $paths $key -}}
{{- fail (printf "sidegate-sidecar: %s and %s would be one key of a ConfigMap, %s; rename one" (get $paths $key) $path $key) -}}
{{- end -}}
{{- $_ := set $paths $key $path -}}
{{- $_ = set $found $path (dict "key" $key "text" (include "sidegate-sidecar.isText" (toString $bytes))) -}}
{{- $size = add $size (len $key) (len $bytes) -}}
{{- if hasSuffix ".zip" $path -}}
{{- $packed = add $packed (len $bytes) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $path := keys $found | sortAlpha -}}
{{- if hasKey $secret $path -}}
{{- fail (printf "sidegate-sidecar: %s: %s, and a ConfigMap is none; take it out, and mount it with sources.secrets" $path (get $secret $path)) -}}
{{- end -}}
{{- end -}}
{{- $elsewhere := printf "apply what `sidegate pack %s` writes (compressed) beside the release and name it in sources.configMaps, or build an image of the folder, and set sources.image and sources.folder: \"\"" $folder -}}
{{- if gt ($size | int) 1048576 -}}
{{- fail (printf "sidegate-sidecar: the files of %s are %d bytes and a ConfigMap holds 1048576; %s" $folder $size $elsewhere) -}}
{{- end -}}
{{- /* Helm keeps the release in a Secret of 1 MiB, and in it each file twice, in base64 twice: 2.7 times what nothing makes smaller. */ -}}
{{- if gt ($packed | int) 375000 -}}
{{- fail (printf "sidegate-sidecar: the packs in %s are %d bytes and a release of Helm holds 375000; %s" $folder $packed $elsewhere) -}}
{{- end -}}
{{ toJson $found }}
{{- end -}}

{{- /* (path, text) -> what may not be in a ConfigMap: this file, or those that it names as settings. */ -}}
{{- define "sidegate-sidecar.secrets" -}}
{{- $path := first . -}}
{{- $text := last . -}}
{{- $found := dict -}}
{{- if regexMatch "-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----" $text -}}
{{- $_ := set $found $path "a private key" -}}
{{- else if hasSuffix ".json" $path -}}
{{- $keys := get (fromJson $text) "keys" -}}
{{- range (ternary $keys list (kindIs "slice" $keys)) -}}
{{- if kindIs "map" . -}}
{{- if and (hasKey . "kty") (or (hasKey . "d") (hasKey . "k") (hasKey . "p") (hasKey . "q")) -}}
{{- $_ := set $found $path "a key set with private keys" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- else if regexMatch "^sidegate([.][^/]*)?[.]yaml$" $path -}}
{{- $settings := fromYaml $text -}}
{{- $log := get $settings "decisionLog" -}}
{{- $token := get (ternary $log dict (kindIs "map" $log)) "authorization" -}}
{{- if kindIs "map" $token -}}
{{- $_ := set $found (get $token "file" | toString) "the settings name it as a secret" -}}
{{- end -}}
{{- $schemes := get $settings "security" -}}
{{- range (ternary $schemes dict (kindIs "map" $schemes)) -}}
{{- $scheme := ternary . dict (kindIs "map" .) -}}
{{- $login := get $scheme "login" -}}
{{- range list (get $scheme "keys") (get (ternary $login dict (kindIs "map" $login)) "secret") -}}
{{- if kindIs "map" . -}}
{{- $_ := set $found (get . "file" | toString) "the settings name it as a secret" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{ toJson $found }}
{{- end -}}

{{- /*
Whether a file goes into `data`: neither a pack nor bytes that are no UTF-8 (which a pattern sees as U+FFFD), nor characters
that YAML does not print, over which `toYaml` would give nothing at all.
*/ -}}
{{- define "sidegate-sidecar.isText" -}}
{{- if not (regexMatch "[\\x7f-\\x9f\\x{feff}\\x{fffd}-\\x{ffff}]" .) -}}
true
{{- end -}}
{{- end -}}

{{- define "sidegate-sidecar.sourcesName" -}}
{{- printf "%s-sidegate" .workload -}}
{{- end -}}

{{- /* Labelled so that the shared control plane finds it; the annotation gives each key its path back. */ -}}
{{- define "sidegate-sidecar.sources" -}}
{{- $root := first . -}}
{{- $about := index . 1 -}}
{{- $folder := $about.values.sources.folder -}}
{{- $paths := dict -}}
{{- $text := dict -}}
{{- $binary := dict -}}
{{- range $path, $file := $about.files -}}
{{- $_ := set $paths $file.key $path -}}
{{- $held := $root.Files.Get (printf "%s/%s" $folder $path) -}}
{{- if and $file.text (not (hasSuffix ".zip" $path)) -}}
{{- $_ = set $text $file.key $held -}}
{{- else -}}
{{- $_ = set $binary $file.key (b64enc $held) -}}
{{- end -}}
{{- end -}}
apiVersion: v1
kind: ConfigMap
{{- with $text }}
data:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $binary }}
binaryData:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- /* Last: Helm cuts blank lines off the end of an object, and they may be those of a file. */}}
metadata:
  name: {{ include "sidegate-sidecar.sourcesName" $about }}
  {{- with $about.namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- merge (dict "sidegate.io/sources" "true" "sidegate.io/service" $about.service) $about.labels | toYaml | nindent 4 }}
  annotations:
    sidegate.io/paths: {{ toJson $paths | quote }}
{{- end -}}
