// Pages of another class count as scanned, or the scan never ends.

@scan_bound@
position p;
@@
 shrink_cache(...) {
 <...
- if (!memclass@p(page->zone, classzone)) continue;
+ if (!memclass(page->zone, classzone)) {
+ 	hotadd_scanned(max_mapped);
+ 	continue;
+ }
 ...>
 }
