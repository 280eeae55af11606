/* A notice's plain text in the shapes that channels want. In the text an empty line separates paragraphs and lines that
 * begin with "- " make a list; everything else is meant literally. Results live in the arena. */
#pragma once
#include <stddef.h>

struct arena;

const char *shape_html(struct arena *arena, const char *text);
const char *shape_markdown(struct arena *arena, const char *text);

/* At most this many characters (not bytes), the last one "…" when something was cut off. */
const char *shape_shorten(struct arena *arena, const char *text, size_t characters);
size_t shape_length(const char *text); /* in characters */
