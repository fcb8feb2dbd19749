"""The cluster driver: watches Slipway's kinds and makes them real on Kubernetes."""
