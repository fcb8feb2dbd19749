{{/* Labels of every object of the release; call with a dict of root and component. */}}
{{- define "slipway.labels" -}}
app.kubernetes.io/name: slipway
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{ include "slipway.selector" . }}
{{- end }}

{{/* What Services and Deployments select by; never changes between versions. */}}
{{- define "slipway.selector" -}}
app.kubernetes.io/part-of: slipway
slipway.dev/component: {{ .component }}
{{- end }}

{{/* Reference of one image; call with a dict of root and image. */}}
{{- define "slipway.image" -}}
{{- $i := .root.Values.image -}}
{{ printf "%s/%s:%s" $i.registry .image (get $i.tags .image | default $i.tag | default .root.Chart.AppVersion) }}
{{- end }}

{{/* Pod-level settings that the restricted Pod Security Standard asks for. */}}
{{- define "slipway.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* Container-level ones. */}}
{{- define "slipway.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* The ServiceAccount that a component runs as: the one that its values name, or the chart's own. */}}
{{- define "slipway.serviceAccount" -}}
{{ (index .root.Values .component).serviceAccountName | default (printf "slipway-%s" .component) }}
{{- end }}

{{/* The chart's own ServiceAccount, unless the values name another; call with a dict of root and component. */}}
{{- define "slipway.ownServiceAccount" -}}
{{- if not (index .root.Values .component).serviceAccountName -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: slipway-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "slipway.labels" . | nindent 4 }}
automountServiceAccountToken: false
{{- end }}
{{- end }}

{{/* Metadata of a component's pods: our labels, and what its values add; call with a dict of root and component. */}}
{{- define "slipway.podMetadata" -}}
{{- $values := index .root.Values .component -}}
labels: {{- merge (include "slipway.labels" . | fromYaml) ($values.labels | default dict) | toYaml | nindent 2 }}
{{- with $values.annotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/*
Where a component's pods run and what they carry, by its values; call with a dict of root and component. Pods prefer
nodes and zones that no other pod of the component is on, unless the values say otherwise.
*/}}
{{- define "slipway.podSettings" -}}
{{- $values := index .root.Values .component -}}
serviceAccountName: {{ include "slipway.serviceAccount" . }}
{{- $pullSecrets := list }}
{{- range .root.Values.image.pullSecrets }}{{ $pullSecrets = append $pullSecrets (dict "name" .) }}{{ end }}
{{- with concat $pullSecrets ($values.imagePullSecrets | default list) | uniq }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
affinity: {{- merge (deepCopy ($values.affinity | default dict)) (include "slipway.apart" . | fromYaml) | toYaml | nindent 2 }}
{{- with $values.topologySpreadConstraints }}
topologySpreadConstraints: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* As the operator does it for agents: terms, since a spread constraint for zones is void where nodes have none. */}}
{{- define "slipway.apart" -}}
{{- if not (hasKey ((index .root.Values .component).affinity | default dict) "podAntiAffinity") -}}
podAntiAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
    {{- $selector := include "slipway.selector" . }}
    {{- range $key, $weight := dict "kubernetes.io/hostname" 100 "topology.kubernetes.io/zone" 50 }}
    - weight: {{ $weight }}
      podAffinityTerm:
        topologyKey: {{ $key }}
        labelSelector:
          matchLabels: {{- $selector | nindent 12 }}
    {{- end }}
{{- end }}
{{- end }}

{{/* Environment that pods of the release and of agents share: proxy, authorities, tracing. A JSON list. */}}
{{- define "slipway.commonEnv" -}}
{{- $env := list -}}
{{- with .Values.proxy.http }}{{ $env = append $env (dict "name" "HTTP_PROXY" "value" .) }}{{ end -}}
{{- with .Values.proxy.https }}{{ $env = append $env (dict "name" "HTTPS_PROXY" "value" .) }}{{ end -}}
{{- if or .Values.proxy.http .Values.proxy.https -}}
{{- /* Not every client knows networks in NO_PROXY, so the API server's address is in it too: the kubelet fills it in. */ -}}
{{- $inside := printf "localhost,127.0.0.1,$(KUBERNETES_SERVICE_HOST),10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,.svc,.%s" .Values.clusterDomain -}}
{{- $collector := "" -}}
{{- with .Values.telemetry.otlpEndpoint }}{{ if hasPrefix "http:" . }}{{ $collector = (urlParse .).hostname }}{{ end }}{{ end -}}
{{- $env = append $env (dict "name" "NO_PROXY" "value" (join "," (compact (list $inside $collector .Values.proxy.noProxy)))) -}}
{{- end -}}
{{- if .Values.caBundle.configMap -}}
{{- range list "SSL_CERT_FILE" "REQUESTS_CA_BUNDLE" -}}
{{- $env = append $env (dict "name" . "value" "/etc/slipway/ca/ca.crt") -}}
{{- end -}}
{{- end -}}
{{- with .Values.telemetry.otlpEndpoint }}{{ $env = append $env (dict "name" "OTEL_EXPORTER_OTLP_ENDPOINT" "value" .) }}{{ end -}}
{{- toJson $env -}}
{{- end }}

{{/* The same, and what only agents' pods get. */}}
{{- define "slipway.podEnv" -}}
{{- $env := include "slipway.commonEnv" . | fromJsonArray -}}
{{- if .Values.testing.deltaDelay -}}
{{- $env = append $env (dict "name" "SLIPWAY_TEST_DELTA_DELAY" "value" (toString .Values.testing.deltaDelay)) -}}
{{- end -}}
{{- toJson $env -}}
{{- end }}

{{/* Name of the Secret with the store's administrator. */}}
{{- define "slipway.adminSecret" -}}
{{ .Values.postgres.existingSecret | default "slipway-postgres" }}
{{- end }}

{{- define "slipway.keysSecret" -}}
{{ .Values.gateway.auth.existingSecret | default "slipway-gateway-keys" }}
{{- end }}

{{/* Whether the first key is made by the command of the notes; empty if not. */}}
{{- define "slipway.firstKey" -}}
{{- $auth := .Values.gateway.auth -}}
{{- if and (eq $auth.mode "apikeys") (not $auth.keys) (not $auth.existingSecret) }}yes{{ end -}}
{{- end }}

{{/* Refuses values with which the gateway would not start, or that would have no effect. */}}
{{- define "slipway.checkGateway" -}}
{{- $gateway := .Values.gateway -}}
{{- $oidc := $gateway.oidc -}}
{{- if and (eq $gateway.auth.mode "open") $oidc.issuer -}}
{{- fail "gateway.auth.mode=open lets everybody in: leave gateway.oidc.issuer empty, or set gateway.auth.mode=apikeys" -}}
{{- end -}}
{{- if and (eq $gateway.auth.mode "open") $gateway.tokenReview.audience -}}
{{- fail "gateway.auth.mode=open lets everybody in: leave gateway.tokenReview.audience empty, or set gateway.auth.mode=apikeys" -}}
{{- end -}}
{{- if and $oidc.issuer (not $oidc.audiences) (not $gateway.publicURL) -}}
{{- fail "gateway.oidc.issuer needs gateway.oidc.audiences or gateway.publicURL: a token for another service is none for this gateway" -}}
{{- end -}}
{{- if and $oidc.audiences (not $oidc.issuer) -}}
{{- fail "gateway.oidc.audiences has no effect without gateway.oidc.issuer: set the issuer as well" -}}
{{- end -}}
{{- $seen := dict -}}
{{- range $gateway.auth.keys -}}
{{- if hasKey $seen .sha256 -}}
{{- fail (printf "gateway.auth.keys has one key twice, for %s and %s: leave one of them out" (get $seen .sha256) .name) -}}
{{- end -}}
{{- $_ := set $seen .sha256 .name -}}
{{- end -}}
{{- end }}

{{- /* What the gateway checks certificates of hosts with: the operator's, or a given one. */}}
{{- define "slipway.hostAuthorities" -}}
{{- if eq .Values.hostTLS.mode "operator" -}}
slipway-host-authorities
{{- else -}}
{{- required "hostTLS.mode secret needs hostTLS.authoritiesConfigMap: a ConfigMap with ca.crt in the release's namespace" .Values.hostTLS.authoritiesConfigMap -}}
{{- end -}}
{{- end }}
