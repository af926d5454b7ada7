// Added memory may lie above 4 GB, where a page's physical address takes 64 bits.

@wide_address@
position p;
identifier page;
@@
+#if defined(CONFIG_MEM_HOTADD) && defined(CONFIG_X86_PAE)
+#define page_to_phys(page)	((u64)(page - mem_map) << PAGE_SHIFT)
+#else
 #define page_to_phys(page) ((page - mem_map) <<@p PAGE_SHIFT)
+#endif
