// SPDX-License-Identifier: GPL-2.0
/*
 * The application kernel's image. It is checked, copied into pages of its own
 * once for all CPUs, and described by page tables that all of them share:
 * nothing in it is both writable and executable.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/pgtable.h>
#include <linux/string.h>
#include "platform.h"

#define IMAGE_TABLES	(APK_IMAGE_MAX / PMD_SIZE)
#define LINES_TABLES	(APK_LINES_MAX / PMD_SIZE)
#define TABLES		(IMAGE_TABLES + LINES_TABLES)

static u64 *tables[TABLES];	/* last-level tables: of the image, then of the line table */

static const struct apk_blob *blob(void)
{
	return (const struct apk_blob *)apk_blob_start;
}

u64 image_entry(void)
{
	return blob()->entry;
}

const u8 *image_build_id(void)
{
	return blob()->build_id;
}

static bool inside(u64 va, u64 size, u64 start, u64 max)
{
	return va >= start && size <= max && va - start <= max - size;
}

static bool segment_ok(const struct apk_segment *s, u64 blob_size)
{
	u64 end;

	if (!IS_ALIGNED(s->va, PAGE_SIZE) || !s->mem_size || s->file_size > s->mem_size)
		return false;
	if (check_add_overflow(s->offset, s->file_size, &end) || end > blob_size)
		return false;
	if (s->flags & ~(u64)(APK_SEG_R | APK_SEG_W | APK_SEG_X) || !(s->flags & APK_SEG_R))
		return false;
	if ((s->flags & APK_SEG_W) && (s->flags & APK_SEG_X))
		return false;
	if (inside(s->va, s->mem_size, APK_LINES, APK_LINES_MAX))
		return s->flags == APK_SEG_R;
	return inside(s->va, s->mem_size, APK_IMAGE, APK_IMAGE_MAX);
}

static bool overlap(const struct apk_segment *a, const struct apk_segment *b)
{
	return a->va < PAGE_ALIGN(b->va + b->mem_size) && b->va < PAGE_ALIGN(a->va + a->mem_size);
}

static bool entry_ok(const struct apk_blob *b)
{
	u32 i;

	for (i = 0; i < b->segments; i++)
		if ((b->segment[i].flags & APK_SEG_X) &&
		    inside(b->entry, 1, b->segment[i].va, b->segment[i].file_size))
			return true;
	return false;
}

/* Returns what is wrong with the image, NULL when nothing is. */
static const char *image_fault(const struct apk_blob *b, u64 size)
{
	u32 i, k;

	if (size < sizeof(*b) || b->magic != APK_BLOB_MAGIC)
		return "it is not an application kernel image";
	if (b->version != APK_HANDOVER_VERSION)
		return "it is of another hand-over version";
	if (b->size != size || !b->segments || b->segments > APK_BLOB_SEGMENTS)
		return "its header is damaged";
	for (i = 0; i < b->segments; i++) {
		if (!segment_ok(&b->segment[i], size))
			return "a segment is misplaced or has forbidden rights";
		for (k = 0; k < i; k++)
			if (overlap(&b->segment[i], &b->segment[k]))
				return "two segments overlap";
	}
	return entry_ok(b) ? NULL : "its entry is not in executable memory";
}

static unsigned int table_of(u64 va)
{
	if (va >= APK_LINES)
		return IMAGE_TABLES + (va - APK_LINES) / PMD_SIZE;
	return (va - APK_IMAGE) / PMD_SIZE;
}

static u64 *entry_of(u64 va)
{
	u64 **t = &tables[table_of(va)];

	if (!*t)
		*t = (u64 *)get_zeroed_page(GFP_KERNEL);
	return *t ? *t + (va >> PAGE_SHIFT) % PT_ENTRIES : NULL;
}

static int load_segment(const struct apk_segment *s)
{
	const u8 *from = apk_blob_start + s->offset;
	u64 bits = PT_PRESENT | PT_USED | PT_GLOBAL;
	u64 done;

	if (s->flags & APK_SEG_W)
		bits |= PT_WRITE;
	if (!(s->flags & APK_SEG_X))
		bits |= PT_NX;
	for (done = 0; done < s->mem_size; done += PAGE_SIZE) {
		void *page = (void *)get_zeroed_page(GFP_KERNEL);
		u64 *e = entry_of(s->va + done);

		if (!page || !e) {
			free_page((unsigned long)page);
			return -ENOMEM;
		}
		if (done < s->file_size)
			memcpy(page, from + done, min_t(u64, PAGE_SIZE, s->file_size - done));
		*e = __pa(page) | bits;
	}
	return 0;
}

int image_init(void)
{
	const struct apk_blob *b = blob();
	const char *fault = image_fault(b, apk_blob_end - apk_blob_start);
	int err = 0;
	u32 i;

	if (fault) {
		pr_err("the embedded application kernel is unusable: %s; build the module again\n",
		       fault);
		return -ENOEXEC;
	}
	for (i = 0; i < b->segments && !err; i++)
		err = load_segment(&b->segment[i]);
	if (err)
		image_exit();
	return err;
}

void image_exit(void)
{
	unsigned int t, i;

	for (t = 0; t < TABLES; t++) {
		for (i = 0; tables[t] && i < PT_ENTRIES; i++)
			if (tables[t][i])
				free_page((unsigned long)__va(tables[t][i] & PTE_PFN_MASK));
		free_page((unsigned long)tables[t]);
		tables[t] = NULL;
	}
}

size_t image_size(void)
{
	unsigned int t, i;
	size_t n = 0;

	for (t = 0; t < TABLES; t++) {
		n += tables[t] ? PAGE_SIZE : 0;
		for (i = 0; tables[t] && i < PT_ENTRIES; i++)
			n += tables[t][i] ? PAGE_SIZE : 0;
	}
	return n;
}

void image_map(u64 *pmd)
{
	unsigned int t;

	for (t = 0; t < TABLES; t++) {
		u64 va = t < IMAGE_TABLES ? APK_IMAGE + t * PMD_SIZE :
					    APK_LINES + (t - IMAGE_TABLES) * PMD_SIZE;

		if (tables[t])
			pmd[(va >> PMD_SHIFT) % PT_ENTRIES] = __pa(tables[t]) | PT_TABLE;
	}
}
