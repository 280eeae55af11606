/* Blocks of one size, kept for reuse up to a bound, and the few number formats a head needs. */
#include "buffer.h"
#include <stdlib.h>

enum { FREE_BLOCKS_MAX = 256 };

void buffer_need(struct buffer_pool *pool, struct buffer *buffer)
{
	if (buffer->data)
		return;
	if (pool->free_blocks) {
		buffer->data = pool->free_blocks;
		memcpy(&pool->free_blocks, buffer->data, sizeof(void *));
		pool->free_count--;
	} else {
		buffer->data = malloc(BUFFER_SIZE);
		if (!buffer->data)
			abort(); /* a process without memory cannot answer; it is restarted */
	}
	buffer->start = buffer->end = 0;
}

void buffer_release(struct buffer_pool *pool, struct buffer *buffer)
{
	if (!buffer->data)
		return;
	if (pool->free_count < FREE_BLOCKS_MAX) {
		memcpy(buffer->data, &pool->free_blocks, sizeof(void *));
		pool->free_blocks = buffer->data;
		pool->free_count++;
	} else {
		free(buffer->data);
	}
	*buffer = (struct buffer){ 0 };
}

void buffer_pool_empty(struct buffer_pool *pool)
{
	while (pool->free_blocks) {
		void *block = pool->free_blocks;

		memcpy(&pool->free_blocks, block, sizeof(void *));
		free(block);
	}
	pool->free_count = 0;
}

void put_number(struct writer *writer, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	put(writer, digits + at, sizeof(digits) - at);
}

void put_field(struct writer *writer, const char *name, const char *value)
{
	put_text(writer, name);
	put_literal(writer, ": ");
	put_text(writer, value);
	put_literal(writer, "\r\n");
}

void put_number_field(struct writer *writer, const char *name, uint64_t value)
{
	put_text(writer, name);
	put_literal(writer, ": ");
	put_number(writer, value);
	put_literal(writer, "\r\n");
}
