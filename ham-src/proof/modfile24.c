// SPDX-License-Identifier: GPL-2.0-only
/*
 * The image of a module is the kernel's struct module, the module's name, the
 * modules it uses, its sections, and the texts of parameters. Everything in
 * the file is checked before it is used.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modfile24.h"

#define HEADER_BYTES	52		/* ELF header */
#define SECTION_BYTES	40
#define SYMBOL_BYTES	16
#define RELOCATION_BYTES 8
#define USER_BYTES	12		/* struct module_ref */
#define MODULE_BYTES	96		/* struct module as of 2.4.0 */
#define MOST_SECTIONS	4096
#define LARGEST_ALIGN	4096
#define LARGEST_IMAGE	(64U << 20)

#define SHT_PROGBITS	1
#define SHT_SYMTAB	2
#define SHT_STRTAB	3
#define SHT_RELA	4
#define SHT_NOBITS	8
#define SHT_REL		9
#define SHF_ALLOC	2
#define SHN_UNDEF	0
#define SHN_LORESERVE	0xff00
#define SHN_ABS		0xfff1
#define SHN_COMMON	0xfff2
#define STB_LOCAL	0
#define STB_WEAK	2
#define R_386_NONE	0
#define R_386_32	1
#define R_386_PC32	2
#define R_386_PLT32	4

/* Fields of struct module, in bytes from its start */
#define MODULE_SIZE_OF_STRUCT	0
#define MODULE_NAME		8
#define MODULE_SIZE		12
#define MODULE_NSYMS		24
#define MODULE_NDEPS		28
#define MODULE_SYMS		32
#define MODULE_DEPS		36
#define MODULE_INIT		44
#define MODULE_CLEANUP		48
#define MODULE_EX_TABLE_START	52
#define MODULE_EX_TABLE_END	56

struct symbol {
	const char *name;
	uint32_t value, size, section;
	unsigned int binding;
};

static int bad(struct modfile *file, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int bad(struct modfile *file, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(file->error, sizeof(file->error), format, args);
	va_end(args);
	return -1;
}

static uint32_t get16(const unsigned char *at)
{
	return at[0] | at[1] << 8;
}

static uint32_t get32(const unsigned char *at)
{
	return get16(at) | get16(at + 2) << 16;
}

static void put32(unsigned char *at, uint32_t value)
{
	at[0] = value;
	at[1] = value >> 8;
	at[2] = value >> 16;
	at[3] = value >> 24;
}

/* Does [offset, offset + size) lie within so many bytes? */
static int inside(uint32_t offset, uint32_t size, size_t bytes)
{
	return offset <= bytes && size <= bytes - offset;
}

/* A text of a table of texts, ended within it; NULL if not */
static const char *text_at(const char *table, uint32_t size, uint32_t offset)
{
	if (offset >= size || !memchr(table + offset, 0, size - offset))
		return NULL;
	return table + offset;
}

static int read_header(struct modfile *file, uint32_t *table, uint32_t *names)
{
	static const unsigned char magic[] = { 0x7f, 'E', 'L', 'F', 1, 1, 1 };
	const unsigned char *h = file->bytes;

	if (file->size < HEADER_BYTES || memcmp(h, magic, sizeof(magic)) ||
	    get16(h + 18) != 3)
		return bad(file, "not an object file for i386");
	if (get16(h + 16) != 1)
		return bad(file, "not an object file that can be linked");
	*table = get32(h + 32);
	file->nr_sections = get16(h + 48);
	*names = get16(h + 50);
	if (get16(h + 46) != SECTION_BYTES || !file->nr_sections ||
	    file->nr_sections > MOST_SECTIONS || *names >= file->nr_sections ||
	    !inside(*table, file->nr_sections * SECTION_BYTES, file->size))
		return bad(file, "damaged: section table");
	return 0;
}

static int read_section(struct modfile *file, struct modfile_section *section,
			const unsigned char *at)
{
	section->name = get32(at);
	section->type = get32(at + 4);
	section->flags = get32(at + 8);
	section->offset = get32(at + 16);
	section->size = get32(at + 20);
	section->link = get32(at + 24);
	section->info = get32(at + 28);
	section->align = get32(at + 32);
	if (!section->align)
		section->align = 1;
	if (section->type != SHT_NOBITS &&
	    !inside(section->offset, section->size, file->size))
		return bad(file, "damaged: a section beyond the end");
	if (section->align > LARGEST_ALIGN ||
	    section->align & (section->align - 1))
		return bad(file, "damaged: alignment of a section");
	return 0;
}

static int read_sections(struct modfile *file)
{
	uint32_t table = 0, names = 0;
	unsigned int i;

	if (read_header(file, &table, &names))
		return -1;
	file->sections = calloc(file->nr_sections, sizeof(*file->sections));
	if (!file->sections)
		return bad(file, "out of memory");
	for (i = 0; i < file->nr_sections; i++)
		if (read_section(file, &file->sections[i],
				 file->bytes + table + i * SECTION_BYTES))
			return -1;
	if (file->sections[names].type != SHT_STRTAB)
		return bad(file, "damaged: names of sections");
	file->section_names = (const char *)file->bytes +
			      file->sections[names].offset;
	file->section_names_size = file->sections[names].size;
	return 0;
}

static const char *section_name(const struct modfile *file, unsigned int i)
{
	const char *name = text_at(file->section_names,
				   file->section_names_size,
				   file->sections[i].name);

	return name ? name : "";
}

static int find_section(const struct modfile *file, const char *name)
{
	unsigned int i;

	for (i = 1; i < file->nr_sections; i++)
		if (!strcmp(section_name(file, i), name))
			return i;
	return 0;
}

static int read_symbols(struct modfile *file)
{
	const struct modfile_section *table = NULL, *names;
	unsigned int i;

	for (i = 1; i < file->nr_sections; i++)
		if (file->sections[i].type == SHT_SYMTAB)
			table = &file->sections[i];
	if (!table)
		return bad(file, "has no symbols");
	if (table->link >= file->nr_sections)
		return bad(file, "damaged: names of symbols");
	names = &file->sections[table->link];
	if (names->type != SHT_STRTAB)
		return bad(file, "damaged: names of symbols");
	file->symbols = file->bytes + table->offset;
	file->nr_symbols = table->size / SYMBOL_BYTES;
	file->names = (const char *)file->bytes + names->offset;
	file->names_size = names->size;
	file->values = calloc(file->nr_symbols + 1, sizeof(*file->values));
	file->users = calloc(file->nr_symbols + 1, sizeof(*file->users));
	if (!file->values || !file->users)
		return bad(file, "out of memory");
	return 0;
}

static int get_symbol(struct modfile *file, uint32_t i, struct symbol *symbol)
{
	const unsigned char *at = file->symbols + i * SYMBOL_BYTES;

	if (i >= file->nr_symbols)
		return bad(file, "damaged: number of a symbol");
	symbol->name = text_at(file->names, file->names_size, get32(at));
	symbol->value = get32(at + 4);
	symbol->size = get32(at + 8);
	symbol->binding = at[12] >> 4;
	symbol->section = get16(at + 14);
	if (!symbol->name)
		return bad(file, "damaged: name of a symbol");
	if (symbol->section >= SHN_LORESERVE) {
		if (symbol->section != SHN_ABS && symbol->section != SHN_COMMON)
			return bad(file, "unknown kind of symbol: %s",
				   symbol->name);
	} else if (symbol->section >= file->nr_sections) {
		return bad(file, "damaged: section of a symbol");
	}
	return 0;
}

static void choose_sections(struct modfile *file)
{
	unsigned int i;
	int info = find_section(file, ".modinfo");

	for (i = 1; i < file->nr_sections; i++)
		file->sections[i].loaded =
			file->sections[i].flags & SHF_ALLOC &&
			(int)i != info;
	if (info && file->sections[info].type == SHT_PROGBITS) {
		file->info = (const char *)file->bytes +
			     file->sections[info].offset;
		file->info_size = file->sections[info].size;
	}
}

int modfile_open(struct modfile *file, const void *bytes, size_t size)
{
	memset(file, 0, sizeof(*file));
	file->bytes = bytes;
	file->size = size;
	if (read_sections(file) || read_symbols(file))
		return -1;
	choose_sections(file);
	return 0;
}

void modfile_close(struct modfile *file)
{
	free(file->sections);
	free(file->values);
	free(file->users);
}

const char *modfile_info(const struct modfile *file, const char *name)
{
	size_t length = strlen(name);
	uint32_t at = 0;
	const char *text;

	while ((text = text_at(file->info, file->info_size, at))) {
		if (!strncmp(text, name, length) && text[length] == '=')
			return text + length + 1;
		at += strlen(text) + 1;
	}
	return NULL;
}

/* Notes, once, that the module uses another one */
static void add_user(struct modfile *file, uint32_t module)
{
	uint32_t i;

	for (i = 0; i < file->nr_users; i++)
		if (file->users[i] == module)
			return;
	file->users[file->nr_users++] = module;
}

/* Names of what is missing, as many as there is room for */
static void add_missing(struct modfile *file, const char *name)
{
	size_t length = strlen(file->error);

	snprintf(file->error + length, sizeof(file->error) - length, "%s %s",
		 length ? "" : "unresolved symbols:", name);
}

int modfile_resolve(struct modfile *file, modfile_lookup lookup, void *context)
{
	struct symbol symbol;
	uint32_t i, module;

	for (i = 1; i < file->nr_symbols; i++) {
		if (get_symbol(file, i, &symbol))
			return -1;
		if (symbol.section != SHN_UNDEF ||
		    !strcmp(symbol.name, "__this_module") || !*symbol.name)
			continue;
		if (lookup(context, symbol.name, &file->values[i], &module)) {
			if (module)
				add_user(file, module);
		} else if (symbol.binding != STB_WEAK) {
			add_missing(file, symbol.name);
		}
	}
	return file->error[0] ? -1 : 0;
}

/* Takes room in the image; its offset in *place */
static int take_room(struct modfile *file, uint32_t size, uint32_t align,
		     uint32_t *place)
{
	uint32_t at = (file->image_size + align - 1) & ~(align - 1);

	if (size > LARGEST_IMAGE || at + size > LARGEST_IMAGE)
		return bad(file, "too large");
	*place = at;
	file->image_size = at + size;
	return 0;
}

static int place_commons(struct modfile *file)
{
	struct symbol symbol;
	uint32_t i;

	for (i = 1; i < file->nr_symbols; i++) {
		if (get_symbol(file, i, &symbol))
			return -1;
		if (symbol.section != SHN_COMMON)
			continue;
		if (!symbol.value || symbol.value > LARGEST_ALIGN ||
		    symbol.value & (symbol.value - 1))
			return bad(file, "damaged: alignment of %s",
				   symbol.name);
		if (take_room(file, symbol.size, symbol.value,
			      &file->values[i]))
			return -1;
	}
	return 0;
}

static uint32_t text_room(char **parameters, int nr_parameters)
{
	uint32_t room = 1;	/* tables must not end where the image ends */
	int i;

	for (i = 0; i < nr_parameters; i++)
		room += strlen(parameters[i]) + 1;
	return room;
}

int modfile_layout(struct modfile *file, const char *name, char **parameters,
		   int nr_parameters)
{
	unsigned int i;

	file->image_size = MODULE_BYTES;
	if (take_room(file, strlen(name) + 1, 1, &file->name_place) ||
	    take_room(file, file->nr_users * USER_BYTES, 4, &file->users_place))
		return -1;
	for (i = 1; i < file->nr_sections; i++)
		if (file->sections[i].loaded &&
		    take_room(file, file->sections[i].size,
			      file->sections[i].align,
			      &file->sections[i].place))
			return -1;
	if (place_commons(file))
		return -1;
	return take_room(file, text_room(parameters, nr_parameters), 1,
			 &file->text_place);
}

/* Where a symbol will be, as an address */
static int symbol_address(struct modfile *file, uint32_t i, uint32_t base,
			  uint32_t *address)
{
	struct symbol symbol;

	if (get_symbol(file, i, &symbol))
		return -1;
	if (symbol.section == SHN_UNDEF)
		*address = !strcmp(symbol.name, "__this_module") ?
			   base : file->values[i];
	else if (symbol.section == SHN_COMMON)
		*address = base + file->values[i];
	else if (symbol.section == SHN_ABS)
		*address = symbol.value;
	else if (!file->sections[symbol.section].loaded)
		return bad(file, "refers to %s, which is not loaded",
			   *symbol.name ? symbol.name : "a section");
	else
		*address = base + file->sections[symbol.section].place +
			   symbol.value;
	return 0;
}

static int apply_one(struct modfile *file, const struct modfile_section *to,
		     const unsigned char *relocation, uint32_t base,
		     unsigned char *image)
{
	uint32_t offset = get32(relocation);
	uint32_t type = get32(relocation + 4) & 0xff;
	uint32_t symbol = get32(relocation + 4) >> 8;
	uint32_t address = 0, place;

	if (type == R_386_NONE)
		return 0;
	if (!inside(offset, 4, to->size))
		return bad(file, "damaged: place of a relocation");
	if (symbol_address(file, symbol, base, &address))
		return -1;
	place = to->place + offset;
	if (type == R_386_PC32 || type == R_386_PLT32)
		address -= base + place;
	else if (type != R_386_32)
		return bad(file, "unknown relocation %u", (unsigned int)type);
	put32(image + place, get32(image + place) + address);
	return 0;
}

static int apply_relocations(struct modfile *file, uint32_t base,
			     unsigned char *image)
{
	const struct modfile_section *from, *to;
	unsigned int i;
	uint32_t at;

	for (i = 1; i < file->nr_sections; i++) {
		from = &file->sections[i];
		if (from->type != SHT_REL && from->type != SHT_RELA)
			continue;
		if (from->info >= file->nr_sections)
			return bad(file, "damaged: target of relocations");
		to = &file->sections[from->info];
		if (!to->loaded)
			continue;
		if (from->type == SHT_RELA)
			return bad(file, "relocations of an unknown kind");
		for (at = 0; at + RELOCATION_BYTES <= from->size;
		     at += RELOCATION_BYTES)
			if (apply_one(file, to,
				      file->bytes + from->offset + at, base,
				      image))
				return -1;
	}
	return 0;
}

/* A symbol that the module defines; its offset in the image. 0: not there */
static uint32_t own_symbol(struct modfile *file, const char *name,
			   uint32_t *room)
{
	const struct modfile_section *section;
	struct symbol symbol;
	uint32_t i;

	for (i = 1; i < file->nr_symbols; i++) {
		if (get_symbol(file, i, &symbol))
			return 0;
		if (strcmp(symbol.name, name))
			continue;
		if (symbol.section == SHN_COMMON) {
			*room = symbol.size;
			return file->values[i];
		}
		if (symbol.section == SHN_UNDEF || symbol.section == SHN_ABS)
			continue;
		section = &file->sections[symbol.section];
		if (!section->loaded || symbol.value > section->size)
			continue;
		*room = section->size - symbol.value;
		return section->place + symbol.value;
	}
	return 0;
}

/* The format of an array of parameters: [MIN[-MAX]]TYPE */
struct format {
	unsigned long min, max;
	char type;
};

static int read_format(const char *text, struct format *format)
{
	char *end = (char *)text;

	format->min = format->max = 1;
	if (*text >= '0' && *text <= '9') {
		format->min = format->max = strtoul(text, &end, 10);
		if (*end == '-')
			format->max = strtoul(end + 1, &end, 10);
	}
	format->type = *end;
	return *end && !end[1] && strchr("bhils", *end) &&
	       format->min <= format->max && format->max;
}

static unsigned int value_bytes(char type)
{
	return type == 'b' ? 1 : type == 'h' ? 2 : 4;
}

/* What a part of a value becomes in the image */
static int set_value(struct modfile *file, char type, const char *text,
		     uint32_t text_address, unsigned char *at)
{
	long long value = text_address;
	unsigned int i;
	char *end;

	if (type != 's') {
		value = strtoll(text, &end, 0);
		if (end == text || *end || value < -0x80000000LL ||
		    value > 0xffffffffLL)
			return bad(file, "not a number: %s", text);
	}
	for (i = 0; i < value_bytes(type); i++)
		at[i] = (uint32_t)value >> 8 * i;
	return 0;
}

/* Cuts a copy of the values, in the image, at commas and sets each */
static int set_values(struct modfile *file, const char *name,
		      const struct format *format, unsigned char *at,
		      uint32_t room, char *texts, uint32_t address)
{
	unsigned long count = 0;
	char *text = texts, *comma;

	do {
		comma = strchr(text, ',');
		if (comma)
			*comma = '\0';
		if (count == format->max)
			return bad(file, "%s takes %lu values at most", name,
				   format->max);
		if (room < (count + 1) * value_bytes(format->type))
			return bad(file, "damaged: room for %s", name);
		if (set_value(file, format->type, text,
			      address + (text - texts),
			      at + count * value_bytes(format->type)))
			return -1;
		count++;
		text = comma + 1;
	} while (comma);
	if (count < format->min)
		return bad(file, "%s takes %lu values at least", name,
			   format->min);
	return 0;
}

static int set_parameter(struct modfile *file, const char *parameter,
			 uint32_t base, unsigned char *image, uint32_t texts)
{
	const char *equals = strchr(parameter, '=');
	struct format format;
	char name[64], key[80];
	const char *type;
	uint32_t at, room = 0;

	if (!equals || equals == parameter ||
	    (size_t)(equals - parameter) >= sizeof(name))
		return bad(file, "not NAME=VALUE: %s", parameter);
	snprintf(name, sizeof(name), "%.*s", (int)(equals - parameter),
		 parameter);
	snprintf(key, sizeof(key), "parm_%s", name);
	type = modfile_info(file, key);
	at = type ? own_symbol(file, name, &room) : 0;
	if (!at)
		return bad(file, "has no parameter %s", name);
	if (!read_format(type, &format))
		return bad(file, "parameter %s is of an unknown kind: %s",
			   name, type);
	strcpy((char *)image + texts, equals + 1);
	return set_values(file, name, &format, image + at, room,
			  (char *)image + texts, base + texts);
}

static int set_parameters(struct modfile *file, uint32_t base,
			  unsigned char *image, char **parameters,
			  int nr_parameters)
{
	uint32_t texts = file->text_place;
	int i;

	for (i = 0; i < nr_parameters; i++) {
		if (set_parameter(file, parameters[i], base, image, texts))
			return -1;
		texts += strlen(parameters[i]) + 1;
	}
	return 0;
}

static void fill_module(struct modfile *file, uint32_t base,
			unsigned char *image, int table, int exceptions)
{
	const struct modfile_section *section;

	put32(image + MODULE_SIZE_OF_STRUCT, MODULE_BYTES);
	put32(image + MODULE_NAME, base + file->name_place);
	put32(image + MODULE_SIZE, file->image_size);
	put32(image + MODULE_NDEPS, file->nr_users);
	if (file->nr_users)
		put32(image + MODULE_DEPS, base + file->users_place);
	section = &file->sections[table];
	if (table && section->loaded && section->size >= 8) {
		put32(image + MODULE_NSYMS, section->size / 8);
		put32(image + MODULE_SYMS, base + section->place);
	}
	section = &file->sections[exceptions];
	if (exceptions && section->loaded) {
		put32(image + MODULE_EX_TABLE_START, base + section->place);
		put32(image + MODULE_EX_TABLE_END,
		      base + section->place + section->size);
	}
}

static int fill_entries(struct modfile *file, uint32_t base,
			unsigned char *image)
{
	uint32_t room, init = own_symbol(file, "init_module", &room);
	uint32_t cleanup = own_symbol(file, "cleanup_module", &room);
	uint32_t i;

	if (!init)
		return bad(file, "has no init_module");
	put32(image + MODULE_INIT, base + init);
	if (cleanup)
		put32(image + MODULE_CLEANUP, base + cleanup);
	for (i = 0; i < file->nr_users; i++)
		put32(image + file->users_place + i * USER_BYTES,
		      file->users[i]);
	return 0;
}

int modfile_link(struct modfile *file, uint32_t base, unsigned char *image,
		 const char *name, char **parameters, int nr_parameters)
{
	const struct modfile_section *section;
	unsigned int i;

	memset(image, 0, file->image_size);
	strcpy((char *)image + file->name_place, name);
	for (i = 1; i < file->nr_sections; i++) {
		section = &file->sections[i];
		if (section->loaded && section->type != SHT_NOBITS)
			memcpy(image + section->place,
			       file->bytes + section->offset, section->size);
	}
	fill_module(file, base, image, find_section(file, "__ksymtab"),
		    find_section(file, "__ex_table"));
	if (fill_entries(file, base, image) ||
	    apply_relocations(file, base, image))
		return -1;
	return set_parameters(file, base, image, parameters, nr_parameters);
}
