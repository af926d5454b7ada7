// Highmem may come later: the pool of bounce pages is filled all the same.

@pool@
position p;
struct sysinfo i;
@@
 init_emergency_pool(...) {
 <...
- if (!i.totalhigh@p)
+ if (!hotadd_possible() && !i.totalhigh)
   return 0;
 ...>
 }
