"""From an empty machine to an agent answering on real Kubernetes.

`make demo` and the cluster tests both go through here, so that what a newcomer sees is what is tested.
"""
