"""HTTP APIs with an OpenAPI document, whose operations are the tools of a plugin."""
