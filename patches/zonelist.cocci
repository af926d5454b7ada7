// Room for the zones of added regions.

@slots@
position p;
@@
 struct zonelist_struct {
 ...
- zone_t *zones[MAX_NR_ZONES@p + 1];
+ zone_t *zones[MAX_NR_ZONES + 1 + HOTADD_REGIONS];
 ...
 };
