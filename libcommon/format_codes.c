/* Codes of the Italian administration with their control characters. Case and spaces are the caller's to put right
 * before; whether a code was ever given to somebody is another register's to say. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "format_internal.h"
#include "schema.h"

#define DIGITS "0123456789"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define OMOCODIA "LMNPQRSTUV" /* the letters that stand for 0 to 9 when two people would have the same code */

static bool has_luhn_digit(const char *text)
{
	int sum = 0;

	for (int i = 0; i < 11; i++) {
		int digit = (text[i] - '0') * (i % 2 + 1);

		sum += digit > 9 ? digit - 9 : digit;
	}
	return sum % 10 == 0;
}

/* D.M. 23 December 1976: characters in odd places count by this table, those in even places by their order. */
static char control_character(const char *text)
{
	static const int odd[26] = { 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22,
		25, 24, 23 };
	int sum = 0;

	for (int i = 0; i < 15; i++) {
		int order = text[i] <= '9' ? text[i] - '0' : text[i] - 'A';

		sum += i % 2 == 0 ? odd[order] : order;
	}
	return (char)('A' + sum % 26);
}

static int omocodia_digit(char character)
{
	const char *letter = strchr(OMOCODIA, character);

	return letter ? (int)(letter - OMOCODIA) : character - '0';
}

/* Days go from 1 to 31, for women from 41 on. The month's own length is not looked at: codes with such days exist. */
static bool is_birth_day(const char *text)
{
	int day = omocodia_digit(text[0]) * 10 + omocodia_digit(text[1]);

	return (day >= 1 && day <= 31) || (day >= 41 && day <= 71);
}

static bool is_person(const char *text)
{
	static const char *const places[16] = { UPPER, UPPER, UPPER, UPPER, UPPER, UPPER, DIGITS OMOCODIA,
		DIGITS OMOCODIA, "ABCDEHLMPRST", DIGITS OMOCODIA, DIGITS OMOCODIA, UPPER, DIGITS OMOCODIA,
		DIGITS OMOCODIA, DIGITS OMOCODIA, UPPER };

	for (int i = 0; i < 16; i++)
		if (!strchr(places[i], text[i]))
			return false;
	return is_birth_day(text + 9) && control_character(text) == text[15];
}

bool format_codice_fiscale(const char *text)
{
	size_t length = strlen(text);

	if (length == 16)
		return is_person(text);
	return length == 11 && strspn(text, DIGITS) == 11 && strspn(text, "0") < 11 && has_luhn_digit(text);
}

/* c_a944, agid, istsc_boic82100c: as the index of public administrations writes them. */
bool format_ipa_code(const char *text)
{
	size_t length = strlen(text);

	return length >= 2 && length <= 20 && strspn(text, "abcdefghijklmnopqrstuvwxyz" DIGITS "_-") == length &&
	       *text != '_' && *text != '-';
}

/* SACI: the first 16 of 18 digits, read as one number, modulo 93 are the last two. New numbers begin with 3. */
bool format_notice_number(const char *text)
{
	char first[17] = { 0 };

	if (strlen(text) != 18 || strspn(text, DIGITS) != 18 || *text != '3')
		return false;
	memcpy(first, text, 16);
	return strtoull(first, NULL, 10) % 93 == strtoull(text + 16, NULL, 10);
}

/* The notice number without its first digit: segregation code 2, base 13, control 2. */
bool format_iuv(const char *text)
{
	char notice[19] = "3";

	if (strlen(text) != 17)
		return false;
	memcpy(notice + 1, text, 18);
	return format_notice_number(notice);
}
