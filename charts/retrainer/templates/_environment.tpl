{{- /* The operator's settings: operator/retrainer/settings.py says what each means. */}}
{{- define "retrainer.webhookPort" -}}8080{{- end }}
{{- define "retrainer.healthPort" -}}8081{{- end }}

{{- /* The Secret of a metrics source as YAML, or nothing: a source is a URL, or a URL with a token. */}}
{{- define "retrainer.sourceSecret" -}}
{{- if kindIs "map" . }}{{ with .tokenSecret }}{{ toYaml . }}{{ end }}{{ end }}
{{- end }}

{{- define "retrainer.metricsSources" -}}
{{- $sources := dict }}
{{- range $name, $source := . }}
{{- if kindIs "map" $source }}
{{- $given := dict "url" $source.url "allowQueries" (default false $source.allowQueries) }}
{{- if include "retrainer.sourceSecret" $source }}
{{- $_ := set $given "tokenFile" (printf "/etc/retrainer/metrics/%s/token" $name) }}
{{- end }}
{{- $_ := set $sources $name $given }}
{{- else }}
{{- $_ := set $sources $name $source }}
{{- end }}
{{- end }}
{{- toJson $sources }}
{{- end }}

{{- define "retrainer.notifiers" -}}
{{- $notifiers := dict }}
{{- range $name, $notifier := . }}
{{- $slack := merge (dict "tokenFile" (printf "/etc/retrainer/notifiers/%s/token" $name)) (omit $notifier.slack "tokenSecret") }}
{{- $_ := set $notifiers $name (dict "slack" $slack) }}
{{- end }}
{{- toJson $notifiers }}
{{- end }}

{{- define "retrainer.environment" -}}
- name: RETRAINER_POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: RETRAINER_TRAINER_IMAGE
  value: {{ .Values.trainerImage | quote }}
- name: RETRAINER_METRICS_SOURCES
  value: {{ include "retrainer.metricsSources" .Values.metricsSources | quote }}
- name: RETRAINER_NOTIFIERS
  value: {{ include "retrainer.notifiers" .Values.notifiers | quote }}
- name: RETRAINER_WATCH_NAMESPACES
  value: {{ join "," .Values.watchNamespaces | quote }}
- name: RETRAINER_ALERTS_ACROSS_NAMESPACES
  value: {{ .Values.allowAlertsFromOtherNamespaces | quote }}
- name: RETRAINER_WEBHOOK_TOKEN_FILE
  value: /etc/retrainer/webhook/token
- name: RETRAINER_WEBHOOK_LISTEN_PORT
  value: {{ include "retrainer.webhookPort" . | quote }}
- name: RETRAINER_HEALTH_LISTEN_PORT
  value: {{ include "retrainer.healthPort" . | quote }}
- name: RETRAINER_GATEWAY_FEATURES
  value: {{ toJson .Values.gatewayFeatures | quote }}
- name: RETRAINER_MAX_CONCURRENT_RUNS
  value: {{ .Values.maxConcurrentRuns | quote }}
- name: RETRAINER_MONITOR_INTERVAL_S
  value: {{ .Values.monitorInterval | quote }}
- name: RETRAINER_EVALUATION_INTERVAL_S
  value: {{ .Values.evaluationInterval | quote }}
- name: RETRAINER_QUERY_TIMEOUT_S
  value: {{ .Values.queryTimeout | quote }}
- name: RETRAINER_RESYNC_INTERVAL_S
  value: {{ .Values.resyncInterval | quote }}
- name: RETRAINER_LOG_LEVEL
  value: {{ .Values.logLevel }}
- name: RETRAINER_LOG_FORMAT
  value: {{ .Values.logFormat }}
{{- end }}
