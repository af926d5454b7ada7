// A page is valid when its block is: a bound would take holes for memory.

@valid_page@
position p;
identifier page;
@@
+#ifdef CONFIG_MEM_HOTADD
+#define VALID_PAGE(page)	hotadd_page_valid(page)
+#else
 #define VALID_PAGE(page) ((page - mem_map) <@p max_mapnr)
+#endif
