// A frame number is valid when its page is.

@pfn_valid@
position p;
identifier pfn;
@@
+#ifdef CONFIG_MEM_HOTADD
+#define pfn_valid(pfn)	VALID_PAGE(pfn_to_page(pfn))
+#else
 #define pfn_valid(pfn) ((pfn) <@p max_mapnr)
+#endif
