// Where only mapped pages count as scanned, pages of another class do too, or the scan never ends.

@scan_bound@
expression E;
position p;
@@
 shrink_cache(...) {
 <...
 while (max_mapped && E) {
 <...
- if (!memclass@p(page->zone, classzone)) continue;
+ if (!memclass(page->zone, classzone)) {
+ 	hotadd_scanned(max_mapped);
+ 	continue;
+ }
 ...>
 }
 ...>
 }
