"""A real one-node Kubernetes for machines that have neither a cluster, nor kind, nor an image registry.

The components are built from Go modules, run as ordinary processes in namespaces and cgroups of their own, and are
reached through one port of the loopback interface. `devcluster up` starts it, `devcluster down` leaves nothing behind.
"""
