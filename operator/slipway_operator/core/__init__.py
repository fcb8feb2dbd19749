"""What every kind needs: the API server, the cache, the queue, the watches, writing, and what pods have in common."""
