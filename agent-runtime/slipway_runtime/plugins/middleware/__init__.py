"""What plugins do around an agent's answer, in the agent's host."""
