// vmalloc's addresses begin behind the window.

@start@
position p;
@@
- (unsigned long) high_memory@p
+ HOTADD_WINDOW_END(high_memory)
