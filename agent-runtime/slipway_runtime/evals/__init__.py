"""Evaluation: questions with known answers, asked of an agent, and a verdict that a pipeline can act on."""
