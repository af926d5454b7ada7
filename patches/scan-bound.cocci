// Where only mapped pages count as scanned, pages of another class do too, or the scan never ends.

@scan_bound@
identifier bound;
expression E;
position p;
@@
 shrink_cache(...) {
 <...
 while (bound && E) {
 <...
- if (!memclass@p(page->zone, classzone)) continue;
+ if (!memclass(page->zone, classzone)) {
+ 	hotadd_scanned(bound);
+ 	continue;
+ }
 ...>
 }
 ...>
 }
