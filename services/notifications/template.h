/* Logic-less templates in the manner of mustache, strict: a name that the data lacks, a value that cannot be shown and
 * a tag that is not closed or not known are errors, never an empty place in a letter. */
#pragma once
#include <jansson.h>

struct arena;

enum template_escape { ESCAPE_NONE, ESCAPE_HTML };

/* {{name}} {{{raw}}} {{#section}}…{{/section}} {{^inverted}}…{{/inverted}} {{!comment}}; names may be dotted, {{.}} is
 * the element of a list. The result lives in the arena. NULL: *ret_error says what is wrong and in which line. */
const char *template_render(
	struct arena *arena, const char *text, const json_t *data, enum template_escape escape, const char **ret_error);
