/* The memory of a request: pieces stay apart and aligned, leases are given back last first. */
#include "arena.h"
#include "unit.h"

static char released[8];

static void note_release(void *pointer)
{
	strcat(released, pointer);
}

static void gives_pieces_of_any_size(void **state)
{
	struct arena *arena = arena_new();
	char *pieces[200];

	for (size_t i = 0; i < 200; i++) {
		size_t size = i * i + 1;

		pieces[i] = arena_alloc(arena, size);
		assert_int_equal((uintptr_t)pieces[i] % 16, 0);
		assert_int_equal(pieces[i][size - 1], 0);
		memset(pieces[i], (int)i, size);
	}
	for (size_t i = 0; i < 200; i++)
		assert_int_equal((unsigned char)pieces[i][i * i], i);
	assert_string_equal(arena_printf(arena, "%s-%d", "a", 7), "a-7");
	assert_null(arena_strdup(arena, NULL));
	arena_free(arena);
}

static void releases_last_first(void **state)
{
	struct arena *arena = arena_new();

	arena_lease(arena, "1", note_release);
	arena_lease(arena, "2", note_release);
	arena_lease(arena, "3", note_release);
	arena_free(arena);
	assert_string_equal(released, "321");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(gives_pieces_of_any_size),
		cmocka_unit_test(releases_last_first) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
