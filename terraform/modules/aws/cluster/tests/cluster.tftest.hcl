mock_provider "aws" {}

variables {
  name        = "slipway-dev"
  subnet_ids  = ["subnet-0a", "subnet-0b"]
  kms_key_arn = "arn:aws:kms:eu-central-1:111111111111:key/00000000-0000-0000-0000-000000000000"
}

run "auto_mode_runs_nodes_disks_and_load_balancers" {
  command = plan

  assert {
    condition     = aws_eks_cluster.this.compute_config[0].enabled && aws_eks_cluster.this.storage_config[0].block_storage[0].enabled && aws_eks_cluster.this.kubernetes_network_config[0].elastic_load_balancing[0].enabled
    error_message = "EKS refuses Auto Mode unless all three are on together."
  }
  assert {
    condition     = aws_eks_cluster.this.bootstrap_self_managed_addons == false
    error_message = "Auto Mode brings the add-ons; self-managed ones alongside them would conflict."
  }
  assert {
    condition     = length(aws_iam_role_policy_attachment.cluster) == 5 && length(aws_iam_role_policy_attachment.node) == 2
    error_message = "The roles must have the policies that Auto Mode needs, and no other."
  }
}

run "the_api_server_is_private_unless_ranges_are_named" {
  command = plan

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_public_access == false && aws_eks_cluster.this.vpc_config[0].endpoint_private_access
    error_message = "Without ranges the API server must be reached from inside the VPC only."
  }
  assert {
    condition     = aws_eks_cluster.this.access_config[0].authentication_mode == "API" && aws_eks_cluster.this.deletion_protection
    error_message = "Access must be by entries of IAM, and the cluster must not be deleted by a slip."
  }
}

run "the_api_server_for_named_ranges" {
  command = plan
  variables { public_access_cidrs = ["203.0.113.0/24"] }

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_public_access && aws_eks_cluster.this.vpc_config[0].public_access_cidrs == toset(["203.0.113.0/24"])
    error_message = "The API server must be open to exactly the ranges that were named."
  }
}

run "secrets_and_logs_are_encrypted" {
  command = plan

  assert {
    condition     = aws_eks_cluster.this.encryption_config[0].provider[0].key_arn == var.kms_key_arn && contains(aws_eks_cluster.this.encryption_config[0].resources, "secrets")
    error_message = "Secrets of Kubernetes must be encrypted with the installation's key."
  }
  assert {
    condition     = aws_cloudwatch_log_group.control_plane.name == "/aws/eks/slipway-dev/cluster" && aws_cloudwatch_log_group.control_plane.kms_key_id == var.kms_key_arn
    error_message = "The log group must have the name that EKS writes to, or EKS makes one without encryption."
  }
  assert {
    condition     = contains(aws_eks_cluster.this.enabled_cluster_log_types, "audit")
    error_message = "Who did what must be logged."
  }
}

run "a_workload_gets_a_role_for_its_account_alone" {
  command = plan
  variables {
    workload_identities = {
      external-secrets = {
        namespace       = "external-secrets"
        service_account = "external-secrets"
        policy_arns     = { read = "arn:aws:iam::111111111111:policy/read" }
      }
    }
  }

  assert {
    condition     = jsondecode(aws_iam_role.workload["external-secrets"].assume_role_policy).Statement[0].Principal.Service == "pods.eks.amazonaws.com"
    error_message = "The role must be for pods, by EKS Pod Identity."
  }
  assert {
    condition     = jsondecode(aws_iam_role.workload["external-secrets"].assume_role_policy).Statement[0].Condition.StringEquals["aws:RequestTag/kubernetes-namespace"] == "external-secrets"
    error_message = "The role must be bound to the account's namespace."
  }
  assert {
    condition     = aws_iam_role_policy_attachment.workload["external-secrets/read"].policy_arn == "arn:aws:iam::111111111111:policy/read"
    error_message = "The role must have the policies that were given."
  }
  assert {
    condition     = aws_eks_pod_identity_association.workload["external-secrets"].service_account == "external-secrets"
    error_message = "The association must name the account."
  }
}

run "administrators_by_name" {
  command = plan
  variables { admin_principal_arns = ["arn:aws:iam::111111111111:role/platform"] }

  assert {
    condition     = aws_eks_access_policy_association.admin["arn:aws:iam::111111111111:role/platform"].policy_arn == "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
    error_message = "Who is named must administer the cluster."
  }
}

run "name_over_the_limit" {
  command = plan
  variables { name = "slipway-with-a-name-that-leaves-no-room" }
  expect_failures = [var.name]
}

run "missing_network" {
  command = plan
  variables { subnet_ids = [] }
  expect_failures = [var.subnet_ids]
}

run "one_subnet" {
  command = plan
  variables { subnet_ids = ["subnet-0a"] }
  expect_failures = [var.subnet_ids]
}

run "names_in_place_of_ids" {
  command = plan
  variables { subnet_ids = ["private-a", "private-b"] }
  expect_failures = [var.subnet_ids]
}

run "a_kubernetes_that_slipway_is_not_tested_with" {
  command = plan
  variables { kubernetes_version = "1.29" }
  expect_failures = [var.kubernetes_version]
}

run "an_api_server_for_everybody" {
  command = plan
  variables { public_access_cidrs = ["0.0.0.0/0"] }
  expect_failures = [var.public_access_cidrs]
}

run "an_address_is_no_range" {
  command = plan
  variables { public_access_cidrs = ["203.0.113.7"] }
  expect_failures = [var.public_access_cidrs]
}

run "an_account_is_no_principal" {
  command = plan
  variables { admin_principal_arns = ["111111111111"] }
  expect_failures = [var.admin_principal_arns]
}

run "alias_in_place_of_the_key" {
  command = plan
  variables { kms_key_arn = "alias/slipway" }
  expect_failures = [var.kms_key_arn]
}

run "retention_that_cloudwatch_does_not_know" {
  command = plan
  variables { log_retention_days = 100 }
  expect_failures = [var.log_retention_days]
}

run "workload_whose_role_would_be_too_long" {
  command = plan
  variables {
    workload_identities = {
      a-name-that-is-longer-than-a-role-may-have = { namespace = "a", service_account = "a", policy_arns = {} }
    }
  }
  expect_failures = [var.workload_identities]
}
