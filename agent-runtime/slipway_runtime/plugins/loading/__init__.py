"""Plugins whose code runs in our processes: from a file and its digest to tools, endpoints and middleware."""
