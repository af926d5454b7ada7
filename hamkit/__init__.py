"""hamkit: renders, builds, proves and publishes Linux Hot-Add Memory (HAM).

Data moves one way: render -> build -> prove -> publish. ``hamkit.model`` is the
oracle and imports nothing of the rest.
"""

__version__ = "0.1.0"
LABEL = "org.hamkit"  # on every image and container that hamkit makes
