/* Numbers and equality as JSON Schema means them. A long double holds every 64-bit integer and every double, so
 * comparisons of the one with the other are exact. */
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "schema_internal.h"
#include "scope.h"

static long double number_of(const json_t *number)
{
	return json_is_integer(number) ? (long double)json_integer_value(number) : (long double)json_real_value(number);
}

int json_compare_numbers(const json_t *one, const json_t *other)
{
	long double a = number_of(one), b = number_of(other);

	return (a > b) - (a < b);
}

/* 4.35 is a multiple of 0.01 though neither is a binary fraction: the quotient may miss an integer by as much as the
 * two roundings to double can make it. */
bool json_is_multiple(const json_t *number, const json_t *of)
{
	long double quotient;

	if (json_is_integer(number) && json_is_integer(of))
		return json_integer_value(number) % json_integer_value(of) == 0;
	quotient = number_of(number) / number_of(of);
	return fabsl(quotient - roundl(quotient)) <= fabsl(quotient) * 2 * DBL_EPSILON;
}

static void bound_error(
	struct schema_check *c, const struct place *place, const char *code, const char *words, const json_t *bound)
{
	char text[64] = "";

	json_dumpb(bound, text, sizeof text - 1, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	schema_error(c, place, code, "must be %s %s", words, text);
}

static bool number_format_holds(const char *format, const json_t *value)
{
	if (strcmp(format, "int32") == 0)
		return json_is_integer(value) && json_integer_value(value) >= INT32_MIN &&
		       json_integer_value(value) <= INT32_MAX;
	if (strcmp(format, "int64") == 0)
		return json_is_integer(value);
	if (strcmp(format, "float") == 0)
		return fabs(json_number_value(value)) <= (double)FLT_MAX;
	return true; /* double holds always, the other formats are about strings */
}

void schema_run_number(
	struct schema_check *c, const struct schema *schema, const json_t *value, const struct place *place)
{
	int low = schema->minimum ? json_compare_numbers(value, schema->minimum) : 1;
	int high = schema->maximum ? json_compare_numbers(value, schema->maximum) : -1;

	if (schema->format && !number_format_holds(schema->format, value))
		schema_error(c, place, "format", "must be %s %s", schema_article(schema->format), schema->format);
	if (low < 0 || (low == 0 && schema->exclusive_minimum))
		bound_error(c, place, schema->exclusive_minimum ? "exclusiveMinimum" : "minimum",
			schema->exclusive_minimum ? "above" : "at least", schema->minimum);
	if (high > 0 || (high == 0 && schema->exclusive_maximum))
		bound_error(c, place, schema->exclusive_maximum ? "exclusiveMaximum" : "maximum",
			schema->exclusive_maximum ? "below" : "at most", schema->maximum);
	if (schema->multiple_of && !json_is_multiple(value, schema->multiple_of))
		bound_error(c, place, "multipleOf", "a multiple of", schema->multiple_of);
}

size_t json_code_points(const json_t *string)
{
	const char *text = json_string_value(string);
	size_t length = json_string_length(string), count = 0;

	for (size_t i = 0; i < length; i++)
		count += (text[i] & 0xc0) != 0x80;
	return count;
}

static bool same_objects(const json_t *one, const json_t *other)
{
	const char *key;
	json_t *member;

	if (json_object_size(one) != json_object_size(other))
		return false;
	json_object_foreach((json_t *)one, key, member)
	{
		const json_t *twin = json_object_get(other, key);

		if (!twin || !json_same(member, twin))
			return false;
	}
	return true;
}

bool json_same(const json_t *one, const json_t *other)
{
	size_t index;
	json_t *item;

	if (json_is_number(one) && json_is_number(other))
		return json_compare_numbers(one, other) == 0;
	if (json_typeof(one) != json_typeof(other))
		return false;
	if (json_is_object(one))
		return same_objects(one, other);
	if (!json_is_array(one))
		return json_equal(one, other);
	if (json_array_size(one) != json_array_size(other))
		return false;
	json_array_foreach(one, index, item) if (!json_same(item, json_array_get(other, index))) return false;
	return true;
}

static uint64_t mix(uint64_t hash, const void *bytes, size_t length)
{
	const unsigned char *byte = bytes;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ byte[i]) * 0x100000001b3u;
	return hash ^ (hash >> 29);
}

/* Equal values have equal hashes; members of an object are added up, since their order means nothing. */
static uint64_t hash_of(const json_t *value, uint64_t seed)
{
	uint64_t hash = seed ^ (uint64_t)(json_is_number(value) ? JSON_REAL : json_typeof(value)), sum = 0;
	double number = json_is_number(value) ? json_number_value(value) + 0.0 : 0;
	const char *key;
	json_t *item;
	size_t index;

	if (json_is_string(value))
		return mix(hash, json_string_value(value), json_string_length(value));
	if (json_is_number(value))
		return mix(hash, &number, sizeof number);
	json_object_foreach((json_t *)value, key, item) sum += mix(hash_of(item, seed), key, strlen(key));
	json_array_foreach(value, index, item) sum = mix(sum, &(uint64_t){ hash_of(item, seed) }, sizeof(uint64_t));
	return mix(hash, &sum, sizeof sum);
}

struct hashed {
	uint64_t hash;
	size_t index;
};

static int by_hash(const void *one, const void *other)
{
	const struct hashed *a = one, *b = other;

	if (a->hash != b->hash)
		return a->hash > b->hash ? 1 : -1;
	return (a->index > b->index) - (a->index < b->index);
}

/* By hash, so that a large array does not cost its square. */
long json_repeated_item(const json_t *array)
{
	size_t size = json_array_size(array);
	auto_free struct hashed *items = calloc(size + 1, sizeof *items);
	uint64_t seed = 0;
	long found = -1;

	if (!items)
		abort();
	if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) < 0)
		seed = (uintptr_t)items;
	for (size_t i = 0; i < size; i++)
		items[i] = (struct hashed){ hash_of(json_array_get(array, i), seed), i };
	qsort(items, size, sizeof *items, by_hash);
	for (size_t i = 1; i < size; i++)
		for (size_t j = i; j > 0 && items[j - 1].hash == items[i].hash; j--)
			if (json_same(
				    json_array_get(array, items[i].index), json_array_get(array, items[j - 1].index))) {
				if (found < 0 || (long)items[i].index < found)
					found = (long)items[i].index;
				break;
			}
	return found;
}
