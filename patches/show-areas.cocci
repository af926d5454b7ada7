// Added regions are shown after the boot node.

@areas@
position p;
@@
 show_free_areas(...) {
 <...
- show_free_areas_core@p(pgdat_list);
+ hotadd_show_areas(pgdat_list);
 ...>
 }
