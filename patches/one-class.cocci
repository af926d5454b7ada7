// A walk over nodes by their zonelists stays with the boot node's, which have all zones.

@node@
identifier zonelist, pgdat;
expression E;
position p;
@@
+if (hotadd_node(pgdat))
+	continue;
 zonelist@p = pgdat->node_zonelists + (E & GFP_ZONEMASK);
