"""The version of this package. An image has its sources alone, so there is no package metadata to ask."""

VERSION = "0.1.0"
