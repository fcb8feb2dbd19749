"""Carrying plans out: the only place where decisions meet the API server. One module a kind."""
