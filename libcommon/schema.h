/* Validation of JSON against the schema object of OpenAPI 3.0.3. A schema is compiled once: keywords that are not
 * implemented, wrong arguments of keywords and dangling $ref are errors of compilation, not of validation. Patterns are
 * read as ECMA-262 does, but \s, like \d and \w, means ASCII, and properties have their short names (\p{L}). */
#pragma once
#include <jansson.h>
#include <stdbool.h>

struct schema;

/* Finds what a $ref to another document points at, from the document that holds it; NULL when it dangles. *document is
 * then the document found. A local "#/…" is looked up without it, so a schema that has no other may leave it NULL. */
typedef const json_t *schema_resolver(void *context, const char *ref, const json_t *holder, const json_t **document);

/* Compiles a schema object. document is the root that a local "#/…" is looked up in. On failure NULL and *ret_error
 * says what and where (free it). The JSON is borrowed and must outlive the schema. readOnly members are refused in
 * requests. */
struct schema *schema_new(
	const json_t *definition, const json_t *document, schema_resolver *resolve, void *context, char **ret_error);
void schema_free(struct schema *schema);

/* Appends one {"pointer","code","detail"} to errors for each offending place (at most 100) and returns how many were
 * found. pointer is the JSON pointer (RFC 6901) of the field, under prefix; a missing member is named by its own
 * pointer; code is the keyword that failed ("required", "maxLength", "format" …), or "complexity" when the value is
 * nested so deeply, or has so many ways to be read, that checking it would not end in time. Without errors (NULL) it
 * only tells whether there is one. */
int schema_check(const struct schema *schema, const json_t *value, const char *prefix, json_t *errors);

/* The same for the text of a parameter: parsed into its type first (integer, boolean, array by comma …); errors have
 * "parameter" instead of "pointer". *ret_value gets the typed value, the default where text is NULL (NULL when there is
 * none), and what could not be read as text; the caller owns it. */
int schema_check_text(
	const struct schema *schema, const char *text, const char *parameter, json_t *errors, json_t **ret_value);

/* The quick look at such a text, without allocation and without JSON: true when it certainly holds. False: it does not,
 * or only schema_check_text() can tell. text has no NUL before length, and one there. schema_prepare_text() comes
 * first, once, before schemas are shared by threads. */
void schema_prepare_text(struct schema *schema);
bool schema_text_holds(const struct schema *schema, const char *text, size_t length);

/* The formats; each says whether the text has it. Also used where a value comes from elsewhere than a request. */
bool format_known(const char *format);
bool format_holds(const char *format, const char *text);

/* Personal tax code with its control character and omocodia (D.M. 12 March 1974 and 23 December 1976), or the 11 digits
 * of a company with the Luhn digit (D.P.R. 605/1973). */
bool format_codice_fiscale(const char *text);
