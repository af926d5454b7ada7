// A zone's hashed wait queues come from where its bitmaps do.

@wait_table@
typedef wait_queue_head_t;
position p;
@@
 free_area_init_core(...) {
 <...
- alloc_bootmem_node@p
+ pgdat_alloc
  (pgdat, zone->wait_table_size * sizeof(wait_queue_head_t))
 ...>
 }
