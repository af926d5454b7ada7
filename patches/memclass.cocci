// A zone serves a class by its kind, whichever node it is in.

@memclass@
position p;
identifier pgzone, classzone;
expression E;
@@
+#ifdef CONFIG_MEM_HOTADD
+#define memclass(pgzone, classzone)	hotadd_memclass(pgzone, classzone)
+#else
 #define memclass(pgzone, classzone) E@p
+#endif
