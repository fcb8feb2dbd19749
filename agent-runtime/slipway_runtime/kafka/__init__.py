"""Kafka: connections to topics, and what writes to them what the store has."""
