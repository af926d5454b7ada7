"""The reference model of the VM: what memory looks like after boot and after each hot-add.

Derived from the seed and from the kernel's documented rules, not from our C; pure
Python without I/O; imports nothing of hamkit. Read it as a specification:

* ``extents``, ``firmware``, ``qemu``: addresses, the firmware's map, ``mem=``
* ``scenario``: what one guest run does
* ``mainline``: zones, memory blocks and MemTotal of x86-64 kernels 5.10 to 7.x
* ``ranges``: HAM's own list and the result of each request
* ``expectation``: a scenario carried through to the numbers of every step

A model of another line (i386 of Linux 2.4) shares the first two and the list.
"""
