{{- define "firn.name" -}}
{{- $name := ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) (contains .Chart.Name .Release.Name) }}
{{- $name | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "firn.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "firn.commonLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "firn.labels" -}}
{{ include "firn.selector" . }}
{{ include "firn.commonLabels" . }}
{{- end }}

{{- /* Not those that the Service and the StatefulSet select by. */}}
{{- define "firn.cleanupLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}-cleanup
app.kubernetes.io/instance: {{ .Release.Name }}
{{ include "firn.commonLabels" . }}
{{- end }}

{{- define "firn.secret" -}}
{{ .Values.existingSecret | default (include "firn.name" .) }}
{{- end }}

{{- /* What the pod of the pipeline and that of the cleanup have in common. */}}
{{- define "firn.pod" -}}
automountServiceAccountToken: false
{{- with .Values.serviceAccount.name }}
serviceAccountName: {{ . }}
{{- end }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "firn.container" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- with .Values.extraEnv }}
env: {{- toYaml . | nindent 2 }}
{{- end }}
envFrom:
  - secretRef:
      name: {{ include "firn.secret" . }}
      optional: {{ not .Values.existingSecret }}
  {{- with .Values.extraEnvFrom }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{- define "firn.mounts" -}}
- name: config
  mountPath: /etc/firn
  readOnly: true
- name: tmp
  mountPath: /tmp
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "firn.volumes" -}}
- name: config
  configMap:
    name: {{ include "firn.name" . }}
- name: tmp
  emptyDir: {}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "firn.refuseSecret" -}}
{{- fail (printf "%s: the configuration is a ConfigMap, which is no place for a secret: write ${NAME}, and give NAME in `secret` or in the Secret that `existingSecret` names" .) }}
{{- end }}

{{- /* Values that would be ignored, or be where they must not. */}}
{{- define "firn.checkValues" -}}
{{- if and .Values.secret .Values.existingSecret }}
  {{- fail "secret and existingSecret: give one of them; with existingSecret, secret would be ignored" }}
{{- end }}
{{- $config := .Values.config }}
{{- $listen := dig "http" "listen" "0.0.0.0:9090" $config | toString }}
{{- if ne $listen "0.0.0.0:9090" }}
  {{- fail (printf "config.http.listen: '%s' would be ignored: Service and probes want 0.0.0.0:9090, which the chart sets; leave it out" $listen) }}
{{- end }}
{{- $state := dig "state_dir" "/var/lib/firn" $config | toString }}
{{- if ne $state "/var/lib/firn" }}
  {{- fail (printf "config.state_dir: '%s' would be ignored: the volume is at /var/lib/firn, which the image sets; leave it out" $state) }}
{{- end }}
{{- range $path := list "source.url" "catalog.uri" }}
  {{- $keys := splitList "." $path }}
  {{- /* <> stands for variables, whose defaults may have any letter. */}}
  {{- $url := regexReplaceAll "[$][{][^}]*[}]" (dig (first $keys) (last $keys) "" $config | toString) "<>" }}
  {{- $in_front := regexReplaceAll "^[^/]+://[^:@]*" (regexFind "^[^/]+://[^/@]*@" $url) "" | trimAll ":@" }}
  {{- $as_word := regexFind "(^|[?&[:space:]])(ssl)?password[[:space:]]*=[[:space:]]*[^&[:space:]]+" $url }}
  {{- range $password := list $in_front $as_word }}
    {{- if and $password (not (contains "<>" $password)) }}
      {{- include "firn.refuseSecret" (printf "config.%s has a password" $path) }}
    {{- end }}
  {{- end }}
{{- end }}
{{- range $path := list "catalog.credential" "catalog.token" "catalog.secret_access_key" "catalog.session_token" "storage.s3.secret_access_key" "storage.s3.session_token" "storage.gcs.token" "storage.azure.account_key" "storage.azure.sas_token" "storage.azure.client_secret" "http.token" }}
  {{- $value := $config }}
  {{- range $key := splitList "." $path }}
    {{- $value = kindIs "map" $value | ternary $value dict | dig $key "" }}
  {{- end }}
  {{- if and $value (not (contains "${" (toString $value))) }}
    {{- include "firn.refuseSecret" (printf "config.%s" $path) }}
  {{- end }}
{{- end }}
{{- range $path := list "catalog.headers" "spark.conf" }}
  {{- $keys := splitList "." $path }}
  {{- $map := dig (first $keys) (last $keys) dict $config }}
  {{- if kindIs "map" $map }}
    {{- range $name, $value := $map }}
      {{- if and $value (regexMatch "(?i)(authorization|api-?key|password|secret|secret[.]key|token|credential)$" $name) (not (contains "${" (toString $value))) }}
        {{- include "firn.refuseSecret" (printf "config.%s.%s" $path $name) }}
      {{- end }}
    {{- end }}
  {{- end }}
{{- end }}
{{- end }}
