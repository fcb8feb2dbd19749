"""`python -m devcluster`, for use where the console script is not on the path."""

from devcluster.cli import main

main()
