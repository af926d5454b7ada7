// Lists for so many masks leave no room for slots in each: masks that mean the same zones share one.

@node@
typedef zone_t, zonelist_t;
position p;
expression E;
@@
 struct pglist_data {
 ...
 zonelist_t node_zonelists@p[E];
+#ifdef CONFIG_MEM_HOTADD
+ zone_t *node_fallback[MAX_NR_ZONES][MAX_NR_ZONES + 1 + HOTADD_REGIONS];
+#endif
 ...
 };
