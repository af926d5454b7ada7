"""Kernel sources from elsewhere: downloaded once into the cache, pinned by digest, verified ever after."""
