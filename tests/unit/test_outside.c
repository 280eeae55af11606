/* Which addresses are of the public internet, and that no other is called: what a client registers must not lead us to
 * what is behind our own walls. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include "unit.h"
#include "config.h"
#include "outside.h"
#include "scope.h"

static bool is_public(const char *text)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		return is_public_address((const struct sockaddr *)&v4);
	assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
	return is_public_address((const struct sockaddr *)&v6);
}

static void test_public_addresses(void **state)
{
	static const char *const addresses[] = { "8.8.8.8", "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255",
		"100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255", "172.15.255.255", "172.32.0.0",
		"192.0.1.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
		"2001:4860:4860::8888", "2a00:1450:4002::1", "2606:4700::1111" };

	for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
		if (!is_public(addresses[i]))
			fail_msg("%s is public", addresses[i]);
	}
}

static void test_addresses_behind_walls(void **state)
{
	static const char *const addresses[] = { "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1",
		"100.127.255.255", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255",
		"192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.7",
		"203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1",
		"::ffff:127.0.0.1", "::ffff:8.8.8.8", "::7f00:1", "64:ff9b::7f00:1", "100::1", "2001::1", "2001:1ff::1",
		"2001:db8::1", "2002:7f00:1::", "3fff::1", "fc00::1", "fd12:3456::1", "fe80::1", "fec0::1", "ff02::1" };

	for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
		if (is_public(addresses[i]))
			fail_msg("%s is not public", addresses[i]);
	}
}

/* A listener on this machine, which nobody must reach. */
static int listener(int *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static void refuses(const char *before, int port, const char *reason)
{
	const char *error = NULL;
	char url[100];

	snprintf(url, sizeof url, "%s:%d/", before, port);
	assert_int_equal(outside_post(url, "x=1", &error), 0);
	if (!strstr(error, reason))
		fail_msg("%s: %s", url, error);
}

static void test_calls_nobody_behind_walls(void **state)
{
	static const char inside[] = "not on the public internet", protocol[] = "rotocol";
	int port;
	auto_fd int fd = listener(&port);

	refuses("https://127.0.0.1", port, inside);
	refuses("https://localhost", port, inside);
	refuses("https://[::ffff:127.0.0.1]", port, inside);
	refuses("https://0x7f000001", port, inside);
	refuses("https://2130706433", port, inside);
	refuses("http://127.0.0.1", port, protocol);
	refuses("gopher://127.0.0.1", port, protocol);
	assert_int_equal(accept(fd, NULL, NULL), -1);
}

/* What the tests of other programs are told in the environment is none of this one's settings. */
static int forbid(void **state)
{
	static const struct setting forbidden[] = { { callbacks_inside_setting, "0", "" }, { 0 } };

	unsetenv("PORTICO_TEST_DATABASE");
	unsetenv("PORTICO_TEST_REDIS");
	config_load((const struct setting *const[]){ forbidden, NULL });
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_public_addresses),
		cmocka_unit_test(test_addresses_behind_walls),
		cmocka_unit_test_setup(test_calls_nobody_behind_walls, forbid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
