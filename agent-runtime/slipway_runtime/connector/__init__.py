"""What stands in front of a Plugin's server in the Plugin's namespace, and adds what is in Secrets there."""
