terraform {
  required_version = ">= 1.9"

  required_providers {
    cockroach = {
      source  = "cockroachdb/cockroach"
      version = "~> 1.16"
    }
    random = {
      source  = "hashicorp/random"
      version = "~> 3.7"
    }
  }
}
