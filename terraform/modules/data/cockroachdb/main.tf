# One database that several regions, or clouds, can share: what fail-over between two installations would need for
# conversations to follow.

resource "cockroach_cluster" "this" {
  name              = var.name
  cloud_provider    = var.cloud
  plan              = "ADVANCED"
  delete_protection = var.deletion_protection

  regions = [for number, region in var.regions : {
    name       = region
    node_count = var.nodes_per_region
    primary    = number == 0
  }]

  dedicated = {
    num_virtual_cpus = var.virtual_cpus
    storage_gib      = var.storage_gib
  }

  backup_config = {
    enabled           = true
    frequency_minutes = 60
    retention_days    = var.backup_retention_days
  }
}

resource "cockroach_allow_list" "this" {
  for_each = var.access_ranges

  cluster_id = cockroach_cluster.this.id
  name       = each.key
  cidr_ip    = split("/", each.value)[0]
  cidr_mask  = tonumber(split("/", each.value)[1])
  sql        = true
  ui         = false
}

resource "cockroach_database" "this" {
  cluster_id = cockroach_cluster.this.id
  name       = var.database
}

resource "random_password" "user" {
  length  = 40
  special = false # goes into a DSN as it is
}

resource "cockroach_sql_user" "this" {
  cluster_id = cockroach_cluster.this.id
  name       = "slipway"
  password   = random_password.user.result
}
