"""The gateway's paths, one module a protocol.

A module has a function `endpoints(gateway)` that returns its rows. A new protocol is such a module, and one line in
`gateway.app.PROTOCOLS`.
"""
