"""The reference model of the VM: what memory looks like after boot and after each hot-add.

Derived from the seed and from the kernel's documented rules, not from our C; pure
Python without I/O; imports nothing of hamkit. Read it as a specification:

* ``extents``, ``firmware``, ``qemu``: addresses, the firmware's map, ``mem=``
* ``scenario``: what one guest run does, on which line of kernels
* ``mainline``: zones, memory blocks and MemTotal of x86-64 kernels 5.10 to 7.x
* ``i386``, ``hotadd24``: Linux 2.4 on i386 after boot, and with regions added
* ``ranges``: HAM's own list and the result of each request, for either line
* ``outcomes``: steps carried through HAM and a VM
* ``expect_mainline``, ``expect_24``, ``expectation``: the numbers of every step, for people and scripts
"""
