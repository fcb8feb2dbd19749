"""What the OpenAPI document says of the gateway's paths: bodies, parameters, events and errors, each with an example.

A path is added by one `Operation` here and one row in `gateway.endpoints`.
"""
