"""Builds Linux 2.4 kernels with compilers of their time and the binutils and make of today."""
