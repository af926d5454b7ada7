@header@
position p;
@@
 #include <linux/list.h>@p
+#include <linux/mem_hotadd.h>
