# With the defaults.

terraform {
  required_providers {
    snowflake = {
      source  = "snowflakedb/snowflake"
      version = "~> 2.11"
    }
  }
}

# Account, user and key come from SNOWFLAKE_... in the environment. Both resources are previews in this provider.
provider "snowflake" {
  preview_features_enabled = ["snowflake_cortex_search_service_resource", "snowflake_table_resource"]
}

module "search" {
  source = "../.."

  name = "SLIPWAY"
}

output "service" {
  description = "Full name of the service."
  value       = module.search.service
}
