// struct resource ends at 4 GB; what lies above is listed behind it.

@listing@
position p;
@@
 get_resource_list(...) {
 ...
 read_unlock@p(&resource_lock);
+retval += hotadd_list_resources(root, buf + retval, size - retval);
 return retval;
 }
