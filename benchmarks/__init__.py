"""What Slipway costs and how fast it is, measured against what it could be: one command each, results as JSON."""
