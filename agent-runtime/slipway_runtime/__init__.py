"""The data plane: agents, knowledge, store, host, gateway and the local driver."""
