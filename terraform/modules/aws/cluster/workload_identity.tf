# A role for each service account that needs the cloud. EKS Pod Identity hands out short-lived credentials for exactly
# one account name in one namespace of this cluster.

resource "aws_iam_role" "workload" {
  for_each = var.workload_identities

  name = "${var.name}-${each.key}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "pods.eks.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Condition = {
        StringEquals = {
          "aws:RequestTag/kubernetes-namespace"       = each.value.namespace
          "aws:RequestTag/kubernetes-service-account" = each.value.service_account
        }
      }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "workload" {
  for_each = merge([
    for name, identity in var.workload_identities : {
      for policy, arn in identity.policy_arns : "${name}/${policy}" => { workload = name, policy_arn = arn }
    }
  ]...)

  role       = aws_iam_role.workload[each.value.workload].name
  policy_arn = each.value.policy_arn
}

resource "aws_eks_pod_identity_association" "workload" {
  for_each = var.workload_identities

  cluster_name    = aws_eks_cluster.this.name
  namespace       = each.value.namespace
  service_account = each.value.service_account
  role_arn        = aws_iam_role.workload[each.key].arn
}
