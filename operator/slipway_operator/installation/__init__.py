"""What the installation has once: its Secrets and the gateway's identity."""
