"""The network of a cluster's node, where pods reach servers of a test at `NODE_ADDRESS`."""

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from devcluster import lifecycle, settings

T = TypeVar("T")
CLONE_NEWNET = 0x40000000


def in_node_network(cluster: str, function: Callable[[], T]) -> T:
    """What a function gives there. It runs in a thread of its own; the processes that it starts stay in the network."""
    _, holder = lifecycle.running_node(settings.cluster(cluster))

    def entered() -> T:
        with Path(f"/proc/{holder}/ns/net").open() as network:
            if ctypes.CDLL(None, use_errno=True).setns(network.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return function()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(entered).result()
