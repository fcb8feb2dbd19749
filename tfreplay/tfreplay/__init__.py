"""Terraform validated and tested with no cloud and no registry, against the schemas of real providers."""
