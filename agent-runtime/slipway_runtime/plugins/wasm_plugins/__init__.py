"""Plugins of type `wasm`: a WebAssembly module that gets JSON, gives JSON, and reaches nothing else."""
