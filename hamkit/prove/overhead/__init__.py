"""What hot-add costs a 2.4 kernel: counted in the guest, held against limits, remembered."""
