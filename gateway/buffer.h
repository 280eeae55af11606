/* Fixed blocks of bytes between two sockets, and the writer that puts heads into them. A connection holds a block only
 * while there are bytes in it: an idle one costs none. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { BUFFER_SIZE = 16384 };

struct buffer {
	char *data;	   /* NULL while empty */
	size_t start, end; /* the bytes are data[start, end) */
};

struct buffer_pool { /* of one worker, without a lock */
	void *free_blocks;
	size_t free_count;
};

void buffer_need(struct buffer_pool *pool, struct buffer *buffer);    /* has a block after it */
void buffer_release(struct buffer_pool *pool, struct buffer *buffer); /* whatever it holds is dropped */
void buffer_pool_empty(struct buffer_pool *pool);

static inline size_t buffer_length(const struct buffer *buffer)
{
	return buffer->end - buffer->start;
}

static inline char *buffer_bytes(const struct buffer *buffer)
{
	return buffer->data + buffer->start;
}

static inline size_t buffer_room(const struct buffer *buffer)
{
	return BUFFER_SIZE - buffer->end;
}

/* Moves the bytes to the front, so that the room behind them is all the room there is. */
static inline void buffer_compact(struct buffer *buffer)
{
	if (buffer->start && buffer->end > buffer->start)
		memmove(buffer->data, buffer->data + buffer->start, buffer->end - buffer->start);
	buffer->end -= buffer->start;
	buffer->start = 0;
}

/* Appends to a buffer; what does not fit sets full and nothing more is written. */
struct writer {
	char *at, *end;
	bool full;
};

static inline struct writer writer_of(struct buffer *buffer)
{
	return (struct writer){ buffer->data + buffer->end, buffer->data + BUFFER_SIZE, false };
}

static inline void writer_commit(const struct writer *writer, struct buffer *buffer)
{
	buffer->end = (size_t)(writer->at - buffer->data);
}

static inline void put(struct writer *writer, const char *bytes, size_t length)
{
	if ((size_t)(writer->end - writer->at) < length || writer->full) {
		writer->full = true;
		return;
	}
	memcpy(writer->at, bytes, length);
	writer->at += length;
}

static inline void put_text(struct writer *writer, const char *text)
{
	put(writer, text, strlen(text));
}

#define put_literal(writer, literal) put(writer, "" literal, sizeof(literal) - 1)

void put_number(struct writer *writer, uint64_t number);
void put_field(struct writer *writer, const char *name, const char *value); /* "Name: value" CRLF */
void put_number_field(struct writer *writer, const char *name, uint64_t value);
