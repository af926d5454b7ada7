// A zone may stay short of inactive pages: one that memory was added to holds no cache at first.

@refill_zone@
position p;
@@
 refill_inactive_zone(...) {
 <...
 swap_out@p(...);
+hotadd_give_way();
 ...>
 }
