"""Catalogues of plugins, agents and workflows: reading, verifying, and writing a manifest from one."""
