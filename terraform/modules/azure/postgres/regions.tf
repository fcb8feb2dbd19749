# Where the service is, with source and date: ../regions.yaml. A standby in another zone is offered in fewer regions.

locals {
  regions = yamldecode(file("${path.module}/../regions.yaml"))[var.high_availability ? "postgresql" : "zones"]
}
