// Reclaim for a class rests when any node that serves it has enough.

@balance@
position p;
expression zone;
@@
- check_classzone_need_balance@p(zone)
+ class_needs_balance(zone)
