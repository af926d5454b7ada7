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
(
- if (!memclass@p(page->zone, classzone)) continue;
+ if (!memclass(page->zone, classzone)) {
+ 	hotadd_scanned(bound);
+ 	continue;
+ }
|
- if (unlikely(!memclass@p(page->zone, classzone))) continue;
+ if (unlikely(!memclass(page->zone, classzone))) {
+ 	hotadd_scanned(bound);
+ 	continue;
+ }
|
- if (__builtin_expect(!memclass@p(page->zone, classzone), 0)) continue;
+ if (__builtin_expect(!memclass(page->zone, classzone), 0)) {
+ 	hotadd_scanned(bound);
+ 	continue;
+ }
)
 ...>
 }
 ...>
 }
