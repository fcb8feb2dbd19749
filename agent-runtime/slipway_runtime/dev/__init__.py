"""The local driver: the same manifests without a cluster, gateway and agents in one process."""
