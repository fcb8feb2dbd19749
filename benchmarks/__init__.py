"""What Slipway costs and how fast it is, measured beside what it could be: one command each, results as JSON."""
