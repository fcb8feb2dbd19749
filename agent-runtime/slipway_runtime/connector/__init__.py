"""The process in front of a Plugin's server, in the Plugin's namespace, which adds headers from Secrets there."""
