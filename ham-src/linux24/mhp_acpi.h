/* SPDX-License-Identifier: GPL-2.0-only */
/* What a driver needs of ACPI on a kernel without it: the event of a GPE. */
#ifndef _MHP_ACPI_H
#define _MHP_ACPI_H

/* From the fixed ACPI description table (FADT): ports, lengths, interrupt. */
struct mhp_acpi {
	unsigned int sci_irq;
	unsigned int smi_cmd;		/* 0: ACPI mode is always on */
	unsigned int acpi_enable;	/* written there to turn it on */
	unsigned int pm1a_cnt;
	unsigned int gpe0;		/* status bytes, then enable bytes */
	unsigned int gpe0_len;
};

/* Finds and reads the table. 0, or -ENODEV without one that can be used. */
int mhp_acpi_find(struct mhp_acpi *acpi);

/* Lets the hardware signal events by interrupt. 0 or -EIO. May sleep. */
int mhp_acpi_enable(const struct mhp_acpi *acpi);

int mhp_acpi_gpe_pending(const struct mhp_acpi *acpi, unsigned int gpe);
void mhp_acpi_gpe_clear(const struct mhp_acpi *acpi, unsigned int gpe);
void mhp_acpi_gpe_unmask(const struct mhp_acpi *acpi, unsigned int gpe);
void mhp_acpi_gpe_mask(const struct mhp_acpi *acpi, unsigned int gpe);

#endif /* _MHP_ACPI_H */
