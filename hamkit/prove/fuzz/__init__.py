"""Random scenarios, the kernel against the model.

* ``draw``: scenarios from a seed, the same ones every time
* ``campaign``: runs them, several in one boot where they agree on the machine, boots in parallel
* ``shrink``: what is left of a scenario that disagrees when nothing can be taken away any more
* ``finding``: the minimal scenario file and what was expected and seen
* ``stand24``, ``stand_mainline``: the real machines
"""
