"""What somebody who writes a plugin needs: a folder to begin with, and putting its files into manifests."""
