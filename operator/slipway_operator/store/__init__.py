"""Namespaces' share of Postgres."""
