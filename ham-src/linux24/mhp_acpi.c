// SPDX-License-Identifier: GPL-2.0-only
/*
 * The little of ACPI that a memory hot-plug driver needs: where the status and
 * enable bits of the general purpose events (GPE) are, and which interrupt
 * tells of them. That stands in a table of fixed layout, so no interpreter is
 * needed. ACPI specification 1.0b, sections 4.7 and 5.2.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/string.h>

#include <asm/io.h>

#include "mhp_acpi.h"

#define ACPI_HEADER	36	/* bytes of any table's header */
#define ACPI_LARGEST	65536	/* tables longer than this are not believed */
#define FADT_LEAST	116	/* bytes of ACPI 1.0's */
#define FADT_SCI_INT	46
#define FADT_SMI_CMD	48
#define FADT_ENABLE	52
#define FADT_PM1A_CNT	64
#define FADT_GPE0	80
#define FADT_GPE0_LEN	92
#define RSDP_BYTES	20
#define RSDP_RSDT	16
#define SCI_EN		1	/* of the PM1 control register */

static unsigned int acpi_u16(const unsigned char *at)
{
	return at[0] | at[1] << 8;
}

static unsigned int acpi_u32(const unsigned char *at)
{
	return acpi_u16(at) | acpi_u16(at + 2) << 16;
}

static unsigned char acpi_sum(const unsigned char *at, unsigned int bytes)
{
	unsigned char sum = 0;

	while (bytes--)
		sum += *at++;
	return sum;
}

/* Maps a table that is whole and of that name; its length, or NULL */
static unsigned char *acpi_map(unsigned long address, const char *name,
			       unsigned int *length)
{
	unsigned char *table = ioremap(address, ACPI_HEADER);

	if (!table)
		return NULL;
	*length = memcmp(table, name, 4) ? 0 : acpi_u32(table + 4);
	iounmap(table);
	if (*length < ACPI_HEADER || *length > ACPI_LARGEST)
		return NULL;
	table = ioremap(address, *length);
	if (table && acpi_sum(table, *length)) {
		iounmap(table);
		return NULL;
	}
	return table;
}

/* The root pointer, in the BIOS's area or the first kilobyte of its data's */
static const unsigned char *acpi_scan(unsigned long from, unsigned long to)
{
	const unsigned char *at = phys_to_virt(from);
	const unsigned char *end = phys_to_virt(to - RSDP_BYTES);

	for (; at <= end; at += 16)
		if (!memcmp(at, "RSD PTR ", 8) && !acpi_sum(at, RSDP_BYTES))
			return at;
	return NULL;
}

static unsigned long acpi_rsdt(void)
{
	unsigned long ebda = *(unsigned short *)phys_to_virt(0x40e) << 4;
	const unsigned char *rsdp = NULL;

	if (ebda >= 0x80000 && ebda < 0xa0000 - 1024)
		rsdp = acpi_scan(ebda, ebda + 1024);
	if (!rsdp)
		rsdp = acpi_scan(0xe0000, 0x100000);
	return rsdp ? acpi_u32(rsdp + RSDP_RSDT) : 0;
}

static int acpi_take(struct mhp_acpi *acpi, unsigned long address)
{
	unsigned int length;
	unsigned char *fadt = acpi_map(address, "FACP", &length);

	if (!fadt)
		return -ENODEV;
	if (length >= FADT_LEAST) {
		acpi->sci_irq = acpi_u16(fadt + FADT_SCI_INT);
		acpi->smi_cmd = acpi_u32(fadt + FADT_SMI_CMD);
		acpi->acpi_enable = fadt[FADT_ENABLE];
		acpi->pm1a_cnt = acpi_u32(fadt + FADT_PM1A_CNT);
		acpi->gpe0 = acpi_u32(fadt + FADT_GPE0);
		acpi->gpe0_len = fadt[FADT_GPE0_LEN];
	}
	iounmap(fadt);
	if (!acpi->gpe0 || !acpi->pm1a_cnt || acpi->gpe0_len < 2)
		return -ENODEV;
	return 0;
}

int mhp_acpi_find(struct mhp_acpi *acpi)
{
	unsigned int length, at;
	unsigned char *rsdt;
	unsigned long address = acpi_rsdt();
	int error = -ENODEV;

	memset(acpi, 0, sizeof(*acpi));
	rsdt = address ? acpi_map(address, "RSDT", &length) : NULL;
	if (!rsdt)
		return -ENODEV;
	for (at = ACPI_HEADER; error && at + 4 <= length; at += 4)
		error = acpi_take(acpi, acpi_u32(rsdt + at));
	iounmap(rsdt);
	return error;
}

int mhp_acpi_enable(const struct mhp_acpi *acpi)
{
	int i;

	if (inw(acpi->pm1a_cnt) & SCI_EN)
		return 0;
	if (!acpi->smi_cmd || !acpi->acpi_enable)
		return -EIO;
	outb(acpi->acpi_enable, acpi->smi_cmd);
	/* The firmware takes its time */
	for (i = 0; i < 30; i++) {
		if (inw(acpi->pm1a_cnt) & SCI_EN)
			return 0;
		set_current_state(TASK_UNINTERRUPTIBLE);
		schedule_timeout(HZ / 10);
	}
	return -EIO;
}

static unsigned int gpe_status(const struct mhp_acpi *acpi, unsigned int gpe)
{
	return acpi->gpe0 + gpe / 8;
}

static unsigned int gpe_enable(const struct mhp_acpi *acpi, unsigned int gpe)
{
	return acpi->gpe0 + acpi->gpe0_len / 2 + gpe / 8;
}

int mhp_acpi_gpe_pending(const struct mhp_acpi *acpi, unsigned int gpe)
{
	return inb(gpe_status(acpi, gpe)) & 1 << gpe % 8;
}

/* Writing a one clears the bit, zeroes leave the others alone */
void mhp_acpi_gpe_clear(const struct mhp_acpi *acpi, unsigned int gpe)
{
	outb(1 << gpe % 8, gpe_status(acpi, gpe));
}

void mhp_acpi_gpe_unmask(const struct mhp_acpi *acpi, unsigned int gpe)
{
	unsigned int port = gpe_enable(acpi, gpe);

	outb(inb(port) | 1 << gpe % 8, port);
}

void mhp_acpi_gpe_mask(const struct mhp_acpi *acpi, unsigned int gpe)
{
	unsigned int port = gpe_enable(acpi, gpe);

	outb(inb(port) & ~(1 << gpe % 8), port);
}
