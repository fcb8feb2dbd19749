"""A third kind, which only tests know: one folder, and one row in each registry."""
