// How many pages of a class may be reclaimed is the sum over nodes.

@active@
position p;
identifier classzone;
@@
- classzone->nr_active_pages@p
+ class_active_pages(classzone)

@inactive@
position p;
identifier classzone;
@@
- classzone->nr_inactive_pages@p
+ class_inactive_pages(classzone)
