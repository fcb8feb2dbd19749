variable "name" {
  description = "Name of the Helm release. The chart's objects have fixed names, so a cluster holds one installation."
  type        = string
  default     = "slipway"

  validation {
    condition     = can(regex("^[a-z]([-a-z0-9]{0,51}[a-z0-9])?$", var.name))
    error_message = "name must be 1 to 53 characters (Helm's limit): lower-case letters, digits and hyphens, a letter first."
  }
}

variable "namespace" {
  description = "Namespace of the operator and the gateway. It is made here, with the restricted Pod Security Standard."
  type        = string
  default     = "slipway-system"

  validation {
    condition     = can(regex("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", var.namespace))
    error_message = "namespace must be 1 to 63 characters: lower-case letters, digits and hyphens, for example slipway-system."
  }

  validation {
    condition     = !contains(["default", "kube-system", "kube-public", "kube-node-lease"], var.namespace)
    error_message = "namespace is made by this module, so it cannot be one that every cluster has. Write for example slipway-system."
  }
}

variable "agent_namespaces" {
  description = "Namespaces for agents, made here with the restricted Pod Security Standard and, if ca_bundle is set, its ConfigMap."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.agent_namespaces : can(regex("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", name))])
    error_message = "Each of agent_namespaces must be 1 to 63 characters: lower-case letters, digits and hyphens."
  }

  validation {
    condition     = !contains(var.agent_namespaces, var.namespace)
    error_message = "agent_namespaces must not hold the namespace of the release. Give agents a namespace of their own."
  }
}

variable "chart" {
  description = "The chart: a folder, or an OCI reference such as oci://registry.example.com/charts/slipway. Null takes the folder charts/slipway of this repository."
  type        = string
  default     = null

  validation {
    condition     = var.chart == null ? true : length(var.chart) > 0
    error_message = "chart must not be empty. Leave it out to take charts/slipway of this repository."
  }
}

variable "chart_version" {
  description = "Version of the chart. Needed with an OCI reference; null with a folder."
  type        = string
  default     = null

  validation {
    condition     = var.chart == null ? true : !startswith(var.chart, "oci://") || var.chart_version != null
    error_message = "chart_version is missing: with an OCI reference in chart, write which version to install, for example 0.1.0."
  }
}

variable "image_registry" {
  description = "Host and path of the images: IMAGE_REGISTRY/runtime:TAG and so on. An output of the registry modules."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-zA-Z0-9._:/-]*[a-zA-Z0-9]$", var.image_registry)) && !strcontains(var.image_registry, "//")
    error_message = "image_registry must be host and path without scheme and trailing slash, for example registry.example.com/slipway."
  }
}

variable "image_tag" {
  description = "Tag of all images. Null takes the chart's appVersion."
  type        = string
  default     = null

  validation {
    condition     = var.image_tag == null ? true : can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", var.image_tag)) && var.image_tag != "latest"
    error_message = "image_tag must be a tag of up to 128 letters, digits, dots, hyphens and underscores that never moves; latest does."
  }
}

variable "pull_secrets" {
  description = "Names of image pull Secrets that somebody else makes, in the release's namespace and in every namespace with agents. Not needed where the cluster's nodes may read the registry, as with the modules of this repository."
  type        = list(string)
  default     = []
}

variable "database_dsn" {
  description = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE of a role that may create roles and schemas, with ?sslmode=... and no other parameter. A Secret is made of it, so it is stored in the state. An output of the postgres modules."
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = var.database_dsn == null ? true : can(regex("^postgres(ql)?://[^:@/]+:[^@/]+@[^@/]+/[^/?]+(\\?sslmode=(require|verify-ca|verify-full))?$", var.database_dsn))
    error_message = "database_dsn must be postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with no parameter but sslmode=require, verify-ca or verify-full. Percent-encode special characters of the password."
  }
}

variable "database_secret" {
  description = "Name of a Secret with the key dsn that somebody else makes in the release's namespace, in place of database_dsn."
  type        = string
  default     = null
}

variable "trial_database" {
  description = "Lets the chart run a single Postgres without replica and backup, where neither database_dsn nor database_secret is given. For trials."
  type        = bool
  default     = false
  nullable    = false
}

variable "ca_bundle" {
  description = "PEM text of every certificate authority to trust, in place of the images' own. Needed for sslmode=verify-ca and verify-full."
  type        = string
  default     = null

  validation {
    condition     = var.ca_bundle == null ? true : strcontains(var.ca_bundle, "-----BEGIN CERTIFICATE-----")
    error_message = "ca_bundle must be PEM text with at least one certificate (-----BEGIN CERTIFICATE-----)."
  }
}

variable "api_keys" {
  description = "Callers of the gateway: what `slipway keys new NAME` prints on standard error. Hashes, never keys. Empty: no caller is accepted until a key is added."
  type        = list(object({ name = string, sha256 = string }))
  default     = []

  validation {
    condition     = alltrue([for key in var.api_keys : can(regex("^[0-9a-f]{64}$", key.sha256))])
    error_message = "Each sha256 of api_keys must be the 64 hexadecimal digits that `slipway keys new NAME` prints; never write the key itself."
  }
}

variable "api_keys_secret" {
  description = "Name of a Secret with the key keys.json that somebody else makes, in place of api_keys."
  type        = string
  default     = null

  validation {
    condition     = var.api_keys_secret == null || length(var.api_keys) == 0
    error_message = "Give api_keys or api_keys_secret, not both."
  }
}

variable "default_agent" {
  description = "NAMESPACE/NAME of the agent behind POST /agent/chat. Null: that path answers 404."
  type        = string
  default     = null

  validation {
    condition     = var.default_agent == null ? true : can(regex("^[a-z0-9-]+/[a-z0-9-]+$", var.default_agent))
    error_message = "default_agent must be NAMESPACE/NAME, for example demo/handbook."
  }
}

variable "operator_replicas" {
  description = "Pods of the operator; one of them works at a time."
  type        = number
  default     = 2

  validation {
    condition     = var.operator_replicas >= 1 && floor(var.operator_replicas) == var.operator_replicas
    error_message = "operator_replicas must be a whole number, 1 or more."
  }
}

variable "gateway_replicas" {
  description = "Pods of the gateway."
  type        = number
  default     = 2

  validation {
    condition     = var.gateway_replicas >= 1 && floor(var.gateway_replicas) == var.gateway_replicas
    error_message = "gateway_replicas must be a whole number, 1 or more."
  }
}

variable "service_type" {
  description = "Type of the gateway's Service: ClusterIP, or LoadBalancer where the cloud's load balancer leads to it without an Ingress."
  type        = string
  default     = "ClusterIP"

  validation {
    condition     = contains(["ClusterIP", "LoadBalancer"], var.service_type)
    error_message = "service_type must be ClusterIP or LoadBalancer."
  }
}

variable "service_annotations" {
  description = "Annotations of the gateway's Service, for example those that an ingress controller of the cloud reads."
  type        = map(string)
  default     = {}
}

variable "ingress" {
  description = "Serves the gateway at a hostname (and at additional_hostnames) through an Ingress: its class, annotations, and the name of a TLS Secret if certificates do not come by annotation. Null: the gateway is reached inside the cluster only."
  type = object({
    hostname    = string
    class_name  = string
    annotations = optional(map(string), {})
    tls_secret  = optional(string)

    additional_hostnames = optional(list(string), [])
  })
  default = null

  validation {
    condition = var.ingress == null ? true : alltrue([
      for name in concat([var.ingress.hostname], var.ingress.additional_hostnames) :
      can(regex("^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", name)) && length(name) <= 253
    ])
    error_message = "ingress.hostname and additional_hostnames must be full DNS names in lower case, for example agents.example.com."
  }
}

variable "otlp_endpoint" {
  description = "Where traces are sent, OTLP over HTTP, for example http://collector.observability:4318. Null switches tracing off."
  type        = string
  default     = null

  validation {
    condition     = var.otlp_endpoint == null ? true : can(regex("^https?://", var.otlp_endpoint))
    error_message = "otlp_endpoint must begin with http:// or https://, for example http://collector.observability:4318."
  }
}

variable "extra_values" {
  description = "YAML documents with further values of the chart, the last one wins. The chart refuses values that it does not know."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for document in var.extra_values : can(yamldecode(document))])
    error_message = "Each of extra_values must be a YAML document, for example the text of a values file: file(\"values.yaml\")."
  }
}

variable "timeout_seconds" {
  description = "Seconds until an installation that is not ready is rolled back. New nodes may have to start first."
  type        = number
  default     = 900

  validation {
    condition     = var.timeout_seconds >= 60
    error_message = "timeout_seconds must be 60 or more: images have to be pulled first."
  }
}
