"""Plugins of type `python`: a module or a wheel, imported into the process."""
