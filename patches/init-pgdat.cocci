// The part of free_area_init_core() that becomes init_pgdat() runs after boot too:
// bootmem is gone then, and its report of zones is noise.

@bitmaps@
position p;
@@
 free_area_init_core(...) {
 <...
- alloc_bootmem_node@p
+ pgdat_alloc
  (pgdat, bitmap_size)
 ...>
 }

@zone_report@
position p;
@@
 free_area_init_core(...) {
 <...
- printk@p
+ pgdat_printk
  ("zone(%lu): %lu pages.\n", ...);
 ...>
 }
