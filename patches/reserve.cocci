// What the BIOS said is kept before "mem=" edits it; the window is sized before lowmem is.

@bios_map@
position p;
identifier parse =~ "^parse_(mem_cmdline|cmdline_early)$";
expression list es;
@@
+ hotadd_save_e820();
  parse@p(es);

@lowmem@
position p;
expression E;
@@
+ hotadd_reserve(MAXMEM);
  start_pfn@p = PFN_UP(\(__pa(E)\|virt_to_phys(E)\));
