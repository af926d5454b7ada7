/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * HAM, Linux Hot-Add Memory: the interface of /dev/ham, and that of the
 * module to memory hot-plug (MHP) drivers.
 *
 * Every structure has the same layout for 32- and 64-bit callers: fixed-width
 * fields, 64-bit fields at multiples of eight, explicit padding, pointers
 * carried as 64-bit integers.
 *
 * User space includes <sys/ioctl.h> itself to use the HAM_IOC_ numbers.
 */
#ifndef _HAM_H
#define _HAM_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/ioctl.h>
typedef __u8 ham_u8;
typedef __u32 ham_u32;
typedef __s32 ham_s32;
typedef __u64 ham_u64;
#else
#include <stdint.h>
typedef uint8_t ham_u8;
typedef uint32_t ham_u32;
typedef int32_t ham_s32;
typedef uint64_t ham_u64;
#endif

/* Attribute of a range: bit 0 says writable, all other bits must be zero. */
#define HAM_ATTR_RO		0x00
#define HAM_ATTR_RW		0x01
#define HAM_ATTR_MASK		0x01

/* Status of a range. */
#define HAM_STATUS_PRESENT	0	/* accepted, some page not usable yet */
#define HAM_STATUS_ENABLED	1	/* every page is usable */
#define HAM_STATUS_FAILED	2	/* present, refused by the VM */

/* As many ranges as the list holds at most. */
#define HAM_MAX_RANGES		4096

/* Version of the structures below; goes into ham_head.version. */
#define HAM_ABI_VERSION		1

/*
 * Begins every structure given to an ioctl. The caller sets version to
 * HAM_ABI_VERSION and size to the size of the whole structure; anything
 * else is EINVAL.
 */
struct ham_head {
	ham_u32 version;
	ham_u32 size;
};

/* HAM_IOC_RETRY: what became of the FAILED ranges. */
struct ham_retry {
	struct ham_head head;
	ham_u32 tried;		/* out: ranges that were FAILED */
	ham_u32 failed;		/* out: those that still are */
};

/* HAM_IOC_COUNT: ranges by status; total is their sum. */
struct ham_count {
	struct ham_head head;
	ham_u32 total;		/* out */
	ham_u32 enabled;	/* out */
	ham_u32 present;	/* out */
	ham_u32 failed;		/* out */
};

/* One range, as HAM_IOC_LIST returns it. */
struct ham_range_info {
	ham_u64 start;		/* physical address */
	ham_u64 size;		/* bytes */
	ham_u8 attr;		/* HAM_ATTR_ */
	ham_u8 status;		/* HAM_STATUS_ */
	ham_u8 pad[6];
};

/*
 * HAM_IOC_LIST: the ranges, sorted by start. With capacity below the number of
 * ranges the call fails with ENOSPC, writes nothing to buffer, and count says
 * how many entries are needed.
 */
struct ham_list {
	struct ham_head head;
	ham_u32 entry_size;	/* in: sizeof(struct ham_range_info) */
	ham_u32 capacity;	/* in: entries that buffer holds */
	ham_u32 count;		/* out: ranges in the list */
	ham_u32 pad;		/* must be zero */
	ham_u64 buffer;		/* in: address of struct ham_range_info[] */
};

/* HAM_IOC_ADD: ham_hot_add() from user space; in test builds only. */
struct ham_add {
	struct ham_head head;
	ham_u64 start;
	ham_u64 size;
	ham_u8 attr;
	ham_u8 pad[7];		/* must be zero */
};

#define HAM_IOC_MAGIC	0xC8
#define HAM_IOC_RETRY	_IOWR(HAM_IOC_MAGIC, 1, struct ham_retry)
#define HAM_IOC_COUNT	_IOWR(HAM_IOC_MAGIC, 2, struct ham_count)
#define HAM_IOC_LIST	_IOWR(HAM_IOC_MAGIC, 3, struct ham_list)
#define HAM_IOC_ADD	_IOW(HAM_IOC_MAGIC, 4, struct ham_add)

/* An array of negative size stops compilers that know no _Static_assert. */
#define HAM_ASSERT(name, what) \
	typedef char ham_assert_##name[(what) ? 1 : -1]

HAM_ASSERT(head, sizeof(struct ham_head) == 8);
HAM_ASSERT(retry, sizeof(struct ham_retry) == 16);
HAM_ASSERT(count, sizeof(struct ham_count) == 24);
HAM_ASSERT(range_info, sizeof(struct ham_range_info) == 24);
HAM_ASSERT(list, sizeof(struct ham_list) == 32);
HAM_ASSERT(add, sizeof(struct ham_add) == 32);

#ifdef __KERNEL__
/**
 * ham_hot_add() - integrate a physical memory range into the running system
 * @start: physical address of its first byte
 * @size: bytes
 * @attr: HAM_ATTR_RW or HAM_ATTR_RO
 *
 * What the system knows already is left alone and only what is missing is
 * added; all of it or nothing. May sleep. Must not be called from a memory
 * notifier, nor with the device hot-plug lock held.
 *
 * MHP drivers look the function up at run time (symbol_get() on mainline,
 * inter_module_get_request() on 2.4), so that either module may load first.
 *
 * Return: 0, or a negative errno
 */
int ham_hot_add(__u64 start, __u64 size, __u8 attr);

/* The name it is registered under for inter_module_get_request(). */
#define HAM_HOT_ADD	"ham_hot_add"

/* What an MHP driver keeps it in. */
typedef int (*ham_interface_t)(__u64 start, __u64 size, __u8 attr);
#endif

#endif /* _HAM_H */
