// struct resource ends at 4 GB; what lies above is listed behind the last one.

@listing@
position p;
identifier m, v;
@@
 r_show(struct seq_file *m, void *v)
 {
 ...
+hotadd_show_resources(m, v);
 return@p 0;
 }
