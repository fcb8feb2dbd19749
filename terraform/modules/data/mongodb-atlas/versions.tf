terraform {
  required_version = ">= 1.9"

  required_providers {
    mongodbatlas = {
      source  = "mongodb/mongodbatlas"
      version = "~> 1.41"
    }
    random = {
      source  = "hashicorp/random"
      version = "~> 3.7"
    }
  }
}
