/* Owns the memory of one request: a chain of blocks, and a list of things to release. Never gives single pieces back.
 */
#include "arena.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BLOCK = 4096, ALIGNMENT = 16 };

struct block {
	struct block *next;
	size_t used, size;
	_Alignas(ALIGNMENT) char bytes[];
};

struct lease {
	struct lease *next;
	void *pointer;
	void (*release)(void *);
};

struct arena {
	struct block *blocks;
	struct lease *leases;
};

static struct block *block_new(size_t size)
{
	struct block *block = calloc(1, sizeof *block + size);

	if (!block)
		abort();
	block->size = size;
	return block;
}

struct arena *arena_new(void)
{
	struct arena *arena = calloc(1, sizeof *arena);

	if (!arena)
		abort();
	arena->blocks = block_new(FIRST_BLOCK);
	return arena;
}

void arena_free(struct arena *arena)
{
	if (!arena)
		return;
	for (struct lease *lease = arena->leases; lease; lease = lease->next)
		lease->release(lease->pointer);
	while (arena->blocks) {
		struct block *next = arena->blocks->next;

		free(arena->blocks);
		arena->blocks = next;
	}
	free(arena);
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct block *block = arena->blocks;
	void *piece;

	if (size > SIZE_MAX / 2)
		abort();
	size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	if (block->size - block->used < size) {
		block = block_new(size > 2 * block->size ? size : 2 * block->size);
		block->next = arena->blocks;
		arena->blocks = block;
	}
	piece = block->bytes + block->used;
	block->used += size;
	return piece;
}

char *arena_strndup(struct arena *arena, const char *text, size_t length)
{
	char *copy = arena_alloc(arena, length + 1);

	memcpy(copy, text, length);
	return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
	return text ? arena_strndup(arena, text, strlen(text)) : NULL;
}

char *arena_vprintf(struct arena *arena, const char *format, va_list args)
{
	va_list again;
	char *text;
	int length;

	va_copy(again, args);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (length < 0)
		abort();
	text = arena_alloc(arena, (size_t)length + 1);
	vsnprintf(text, (size_t)length + 1, format, args);
	return text;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = arena_vprintf(arena, format, args);
	va_end(args);
	return text;
}

void *arena_lease(struct arena *arena, void *pointer, void (*release)(void *))
{
	struct lease *lease = arena_alloc(arena, sizeof *lease);

	*lease = (struct lease){ arena->leases, pointer, release };
	arena->leases = lease;
	return pointer;
}

static void release_json(void *json)
{
	json_decref(json);
}

json_t *arena_json(struct arena *arena, json_t *json)
{
	return json ? arena_lease(arena, json, release_json) : NULL;
}
