"""Wire protocols (*skins*), each laid over the one stream of events. They know events and problems, nothing else."""
