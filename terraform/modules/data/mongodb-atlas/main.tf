# A replica set of three with backups and a vector search index of the size that Slipway's embedding model has.

resource "mongodbatlas_project" "this" {
  name   = var.name
  org_id = var.org_id
}

resource "mongodbatlas_project_ip_access_list" "this" {
  for_each = var.access_ranges

  project_id = mongodbatlas_project.this.id
  cidr_block = each.value
  comment    = each.key
}

resource "mongodbatlas_advanced_cluster" "this" {
  project_id                     = mongodbatlas_project.this.id
  name                           = var.name
  cluster_type                   = "REPLICASET"
  mongo_db_major_version         = var.mongodb_major_version
  backup_enabled                 = true
  pit_enabled                    = true
  termination_protection_enabled = var.deletion_protection

  replication_specs {
    region_configs {
      provider_name = var.cloud
      region_name   = var.region
      priority      = 7

      electable_specs {
        instance_size = var.instance_size
        node_count    = 3
      }
    }
  }

  advanced_configuration {
    minimum_enabled_tls_protocol = "TLS1_2"
    javascript_enabled           = false
  }
}

resource "random_password" "user" {
  length  = 40
  special = false # goes into a connection string as it is
}

resource "mongodbatlas_database_user" "this" {
  project_id         = mongodbatlas_project.this.id
  username           = "slipway"
  password           = random_password.user.result
  auth_database_name = "admin"

  roles {
    role_name     = "readWrite"
    database_name = var.database
  }

  scopes {
    name = mongodbatlas_advanced_cluster.this.name
    type = "CLUSTER"
  }
}

resource "mongodbatlas_search_index" "vectors" {
  project_id      = mongodbatlas_project.this.id
  cluster_name    = mongodbatlas_advanced_cluster.this.name
  database        = var.database
  collection_name = var.collection
  name            = "vectors"
  type            = "vectorSearch"

  # The path of the vector, and of what searches are narrowed by.
  fields = jsonencode([
    { type = "vector", path = "embedding", numDimensions = var.dimensions, similarity = "cosine" },
    { type = "filter", path = "index" },
    { type = "filter", path = "source" },
  ])
}
