// kswapd looks at every node that serves a class.

@balance@
position p;
expression zone;
@@
 kswapd_balance_pgdat(...) {
 <...
- check_classzone_need_balance@p(zone)
+ class_needs_balance(zone)
 ...>
 }
