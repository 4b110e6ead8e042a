{{- define "postern.name" -}}
{{- ternary .Release.Name (printf "%s-postern" .Release.Name) (contains "postern" .Release.Name) | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "postern.selector" -}}
app.kubernetes.io/name: postern
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "postern.labels" -}}
{{ include "postern.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | replace "+" "_" | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "postern-%s" .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "postern.secret" -}}
{{- .Values.secrets.existingSecret | default (include "postern.name" .) }}
{{- end }}

{{- /* postern.yaml: what is given, and what follows from the pod. */ -}}
{{- define "postern.config" -}}
{{- if not .Values.config.server.domain }}{{ fail "config.server.domain: name the domain of your users" }}{{ end }}
{{- if not .Values.config.server.component }}{{ fail "config.server.component: name the host and port where the XMPP server accepts components" }}{{ end }}
{{- if not .Values.config.adapters }}{{ fail "config.adapters: a gateway needs an adapter" }}{{ end }}
{{- if not (or .Values.secrets.existingSecret .Values.secrets.values) }}{{ fail "secrets: name an existing Secret, or give the values" }}{{ end }}
{{- $own := dict "http" (dict "public" ":8443" "admin" ":8480") "state_dir" "/var/lib/postern" }}
{{- mergeOverwrite (deepCopy .Values.config) $own | toYaml }}
{{- end }}
