// Holes in mem_map have no struct page.

@holes@
position p;
identifier i;
@@
 show_mem(...) {
 <...
 while (i-- > 0) {
+	if (hotadd_hole(mem_map + i))
+		continue;
 	total@p++;
 	...
 }
 ...>
 }
