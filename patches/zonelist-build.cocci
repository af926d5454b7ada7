// A mask's zonelist is the one of its zones.

@share@
expression zonelist;
identifier i;
position p;
@@
 build_zonelists(...) {
 <...
 memset@p(zonelist, 0, sizeof(*zonelist));
+hotadd_share_zones(pgdat, zonelist, i);
 ...
 zonelist->gfp_mask = i;
 ...>
 }
