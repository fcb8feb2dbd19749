"""Where sessions, run events, documents and index pointers live: Postgres in a cluster, SQLite in the local driver."""
