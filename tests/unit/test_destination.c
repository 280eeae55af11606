/* Where webhooks may go, in every way in which an address can be written, and how they are signed. */
#include "destination.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include "arena.h"
#include "seal.h"
#include "unit.h"
#include "webhook.h"

static bool connects(const char *text, bool encrypted)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		return destination_allowed((struct sockaddr *)&v4, encrypted);
	assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
	return destination_allowed((struct sockaddr *)&v6, encrypted);
}

static const char *const inside[] = { "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1",
	"100.127.255.255", "127.0.0.1", "127.255.255.254", "169.254.0.1", "169.254.169.254", "172.16.0.1",
	"172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255",
	"198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1",
	"::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::10.0.0.1", "64:ff9b::10.0.0.1",
	"64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2001:10::1", "2002:a00:1::1", "3fff::1", "fc00::1",
	"fdff::1", "fe80::1", "fec0::1", "ff02::1", "4000::1" };
static const char *const outside[] = { "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
	"126.255.255.255", "128.0.0.0", "169.253.255.255", "172.15.255.255", "172.32.0.0", "191.255.255.255",
	"192.0.1.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2001:200::1",
	"2003::1", "2606:4700::1111", "2a00:1450:4002::1", "::ffff:1.1.1.1" };

static void special_networks_are_refused(void **state)
{
	assert_true(destination_networks(""));
	for (size_t i = 0; i < COUNT(inside); i++) {
		if (connects(inside[i], true) || connects(inside[i], false))
			fail_msg("%s is connected to", inside[i]);
	}
	for (size_t i = 0; i < COUNT(outside); i++) {
		if (!connects(outside[i], true))
			fail_msg("%s is not connected to", outside[i]);
		if (connects(outside[i], false))
			fail_msg("%s is connected to without TLS", outside[i]);
	}
}

static void listed_networks_are_allowed(void **state)
{
	assert_true(destination_networks("10.1.0.0/16, 127.0.0.1,fd00:1::/32,0.0.0.0/32"));
	assert_true(connects("10.1.2.3", true) && connects("10.1.2.3", false));
	assert_true(connects("::ffff:10.1.2.3", true));
	assert_true(connects("127.0.0.1", false) && connects("fd00:1::1", false));
	assert_false(connects("10.2.0.1", true) || connects("127.0.0.2", true) || connects("fd00:2::1", true));
	assert_true(connects("1.1.1.1", true));
	assert_false(connects("1.1.1.1", false));
}

static void what_is_no_network_is_noticed(void **state)
{
	static const char *const lists[] = { "10.0.0.0/33", "10.0.0", "ten", "10.0.0.0/", "10.0.0.0/8x", "fd00::/129",
		"10.0.0.0/-1", "10.0.0.0/8 oops" };

	for (size_t i = 0; i < COUNT(lists); i++) {
		if (destination_networks(lists[i]))
			fail_msg("%s was taken", lists[i]);
	}
}

static void urls(void **state)
{
	static const char *const good[] = { "https://hooks.example/", "https://hooks.example:8443/a/b?c=d",
		"https://1.1.1.1/", "https://[2606:4700::1111]/", "HTTPS://hooks.example/" };
	static const char *const bad[] = { "http://hooks.example/", "http://1.1.1.1/", "ftp://hooks.example/",
		"file:///etc/passwd", "hooks.example", "//hooks.example/", "", "https://", "https://10.0.0.1/",
		"https://0x0a000001/", "https://167772161/", "https://012.0.0.1/", "https://10.1/",
		"https://%31%30.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]/", "https://[fe80::1%25eth0]/",
		"https://user@hooks.example/", "https://user:word@hooks.example/", "https://:word@hooks.example/",
		"https://hooks.example/#f", "https://hooks.example\\@10.0.0.1/", "https://hooks.example/ x",
		"https://hooks.example/\n", "https://hooks.example/\xc3\xa9", "https://\xef\xbc\x91\xef\xbc\x90.0.0.1/",
		"javascript:alert(1)", "dict://10.0.0.1/" };

	assert_true(destination_networks(""));
	for (size_t i = 0; i < COUNT(good); i++) {
		if (destination_problem(good[i]))
			fail_msg("%s: %s", good[i], destination_problem(good[i]));
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		if (!destination_problem(bad[i]))
			fail_msg("%s was taken", bad[i]);
	}
	assert_true(destination_networks("127.0.0.0/8"));
	assert_null(destination_problem("http://127.0.0.1:8080/hook"));
	assert_null(destination_problem("http://hooks.example/")); /* judged by its address when it is connected to */
	assert_non_null(destination_problem("http://10.0.0.1/"));
}

/* Made with the library of Standard Webhooks from the same key, id, time and body. */
#define EXPECTED_SIGNATURE "v1,hK4CWvngkaAwjY1pABLuUbOIkEJjW9tAapq1no4ojG0="

static void a_signature_is_that_of_standard_webhooks(void **state)
{
	static const char body[] = "{\"test\": 2432232314}";
	struct hook hook = { .has_secondary = false };
	char *value;

	memcpy(hook.secrets[0], "0123456789abcdef0123456789abcdef", SECRET_BYTES);
	value = webhook_signature(&hook, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body);
	assert_string_equal(value, EXPECTED_SIGNATURE);
	free(value);
	hook.has_secondary = true;
	memcpy(hook.secrets[1], hook.secrets[0], SECRET_BYTES);
	value = webhook_signature(&hook, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body);
	assert_string_equal(value, EXPECTED_SIGNATURE " " EXPECTED_SIGNATURE);
	free(value);
}

static void secrets_keep_their_bytes(void **state)
{
	struct arena *arena = arena_new();
	unsigned char one[SECRET_BYTES], other[SECRET_BYTES];
	const char *secret = webhook_new_secret(arena);

	assert_int_equal(strncmp(secret, "whsec_", 6), 0);
	assert_true(webhook_secret_bytes(secret, one) && webhook_secret_bytes(webhook_new_secret(arena), other));
	assert_memory_not_equal(one, other, SECRET_BYTES);
	assert_false(webhook_secret_bytes("whsec_", one) || webhook_secret_bytes(secret + 1, one));
	arena_free(arena);
}

static void a_sealed_text_opens_with_its_own_label_and_secret_only(void **state)
{
	static const char secret[] = "a secret of some length, thirty-two or more";
	struct arena *arena = arena_new();
	const char *sealed = seal_text(arena, secret, "test, 1", "c_a944/one", "whsec_x");
	char *changed = arena_strdup(arena, sealed);

	assert_null(strstr(sealed, "whsec"));
	assert_string_equal(seal_open(arena, secret, "test, 1", "c_a944/one", sealed), "whsec_x");
	assert_null(seal_open(arena, secret, "test, 1", "c_a944/two", sealed));
	assert_null(seal_open(arena, secret, "test, 2", "c_a944/one", sealed));
	assert_null(seal_open(arena, "another secret of some length, thirty-two", "test, 1", "c_a944/one", sealed));
	changed[20] = changed[20] == 'A' ? 'B' : 'A';
	assert_null(seal_open(arena, secret, "test, 1", "c_a944/one", changed));
	assert_null(seal_open(arena, secret, "test, 1", "c_a944/one", "short"));
	assert_string_not_equal(seal_text(arena, secret, "test, 1", "c_a944/one", "whsec_x"), sealed);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(special_networks_are_refused),
		cmocka_unit_test(listed_networks_are_allowed),
		cmocka_unit_test(what_is_no_network_is_noticed),
		cmocka_unit_test(urls),
		cmocka_unit_test(a_signature_is_that_of_standard_webhooks),
		cmocka_unit_test(secrets_keep_their_bytes),
		cmocka_unit_test(a_sealed_text_opens_with_its_own_label_and_secret_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
