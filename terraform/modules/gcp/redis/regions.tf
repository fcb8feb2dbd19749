# Where the service is, with source and date: ../regions.yaml.

locals {
  regions = yamldecode(file("${path.module}/../regions.yaml"))["redis"]
}
