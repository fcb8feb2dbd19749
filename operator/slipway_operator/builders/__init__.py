"""From a resource to the objects that make it real: pure functions that return manifests and do no I/O."""
