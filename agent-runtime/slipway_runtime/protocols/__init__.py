"""What goes over the wire: the inner protocol (`ask`, `sse`), and the outer ones (*skins*) that are laid over it.

They know events and problems, nothing else. Hosts speak the inner protocol only, the gateway speaks all of them.
"""
