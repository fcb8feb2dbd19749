"""`python -m slipway_demo`."""

from slipway_demo.cli import main

main()
