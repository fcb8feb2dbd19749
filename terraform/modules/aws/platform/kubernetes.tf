# What EKS Auto Mode leaves to its user: a default class for volumes and for Ingresses, and the switch for NetworkPolicies.

locals {
  ingress = var.hostname == null ? null : {
    hostname             = var.hostname
    additional_hostnames = var.additional_hostnames
    class_name           = kubernetes_ingress_class_v1.alb.metadata[0].name
    annotations = {
      "alb.ingress.kubernetes.io/scheme"           = var.internal ? "internal" : "internet-facing"
      "alb.ingress.kubernetes.io/target-type"      = "ip"
      "alb.ingress.kubernetes.io/listen-ports"     = jsonencode([{ HTTP = 80 }, { HTTPS = 443 }])
      "alb.ingress.kubernetes.io/ssl-redirect"     = "443"
      "alb.ingress.kubernetes.io/certificate-arn"  = module.dns[0].certificate_arn
      "alb.ingress.kubernetes.io/ssl-policy"       = "ELBSecurityPolicy-TLS13-1-2-2021-06"
      "alb.ingress.kubernetes.io/healthcheck-path" = "/readyz"
      # Answers are streams: the load balancer's own 60 seconds would cut those of slow tools.
      "alb.ingress.kubernetes.io/load-balancer-attributes" = "idle_timeout.timeout_seconds=300,routing.http.drop_invalid_header_fields.enabled=true"
      # As long as a stopping gateway pod gets to finish its streams.
      "alb.ingress.kubernetes.io/target-group-attributes" = "deregistration_delay.timeout_seconds=90"
    }
  }
}

resource "kubernetes_storage_class_v1" "default" {
  metadata {
    name        = "slipway-gp3"
    annotations = { "storageclass.kubernetes.io/is-default-class" = "true" }
  }

  storage_provisioner    = "ebs.csi.eks.amazonaws.com"
  volume_binding_mode    = "WaitForFirstConsumer"
  allow_volume_expansion = true

  parameters = {
    type      = "gp3"
    encrypted = "true"
    kmsKeyId  = module.encryption.key_arn
  }

  depends_on = [module.cluster]
}

# Without this key EKS Auto Mode accepts NetworkPolicies and enforces none.
resource "kubernetes_config_map_v1" "network_policies" {
  metadata {
    name      = "amazon-vpc-cni"
    namespace = "kube-system"
  }

  data = { "enable-network-policy-controller" = "true" }

  depends_on = [module.cluster]
}

resource "kubernetes_ingress_class_v1" "alb" {
  metadata {
    name = "alb"
  }

  spec {
    controller = "eks.amazonaws.com/alb"
  }

  depends_on = [module.cluster]
}
